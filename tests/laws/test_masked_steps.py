"""Steps that a model hides by a mask stay hidden, whatever reads or replaces values."""

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import numpy

import keras_explainable as ke


def body(first):
    """A list of layers that shows by its output whether the mask was kept."""
    hidden = layers.Dense(4, activation="relu", bias_initializer="ones")
    return [first, hidden, layers.GlobalAveragePooling1D(), layers.Dense(2)]


def sequential():
    return keras.Sequential([keras.Input((6, 3)), *body(layers.Masking())])


def without_input():
    model = keras.Sequential(body(layers.Masking()))
    model.build((None, 6, 3))
    return model


def nested():
    inputs = keras.Input((6, 3))
    return keras.Model(inputs, layers.Dense(2)(sequential()(inputs)))


def on_frames():
    inputs = keras.Input((2, 6, 3))
    h = layers.TimeDistributed(sequential())(inputs)
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(h)))


def padded(rng, *shape):
    x = rng.normal(size=(*shape, 6, 3)).astype("float32")
    x[..., 3:, :] = 0
    return x


@pytest.mark.parametrize("make", [sequential, without_input, nested, on_frames])
def test_masks_are_kept_where_values_are_tapped(make, rng):
    model, x = make(), padded(rng, *((2, 2) if make is on_frames else (2,)))
    expected = numpy(model(x))
    for method in (ke.gradcam, ke.cam, ke.full_gradients):
        found = method(model, x, verbose=0)[0]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_masks_of_tokens_are_kept():
    first = layers.Embedding(5, 3, mask_zero=True)
    model = keras.Sequential([keras.Input((6,), dtype="int32"), *body(first)])
    x = np.int32([[1, 2, 3, 0, 0, 0], [4, 2, 0, 0, 0, 0]])
    layer = model.layers[1].name
    found = ke.gradcam(model, x, layer=layer, verbose=0)[0]
    np.testing.assert_allclose(found, numpy(model(x)), rtol=1e-4, atol=1e-5)
