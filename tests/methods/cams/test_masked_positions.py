"""Maps of a layer's output are zero where a mask hides it from the pooling."""

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import numpy

import keras_explainable as ke

#: Maps at their own size.
OWN = {"resizing": None, "verbose": 0}

LENGTHS = (3, 5)


def sequence(value=0.0):
    inputs = keras.Input((6, 3))
    h = layers.Masking(value)(inputs)
    h = layers.Dense(4, activation="relu", bias_initializer="ones", name="a")(h)
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(h)))


def padded(rng, value=0.0):
    x = rng.normal(size=(2, 6, 3)).astype("float32")
    for each, length in zip(x, LENGTHS, strict=True):
        each[length:] = value
    return x


def on_frames(model):
    inputs = keras.Input((2, 6, 3))
    h = layers.TimeDistributed(model)(inputs)
    return keras.Model(inputs, layers.GlobalAveragePooling1D()(h))


def shown():
    return np.arange(6) < np.array(LENGTHS)[:, None]


NAMES = ["gradcam", "gradcampp", "layercam", "hirescam", "cam"]

#: Score-CAM asks for the mean of no step at all, f(0), where zeros are hidden.
CASES = [(name, value) for name in NAMES for value in (0.0, -999.0)]


@pytest.mark.parametrize(("name", "value"), [*CASES, ("scorecam", -999.0)])
def test_hidden_positions_have_maps_of_zero(name, value, rng):
    method = getattr(ke.methods.cams, name)
    x = padded(rng, value)
    _, maps = ke.explain(method, sequence(value), x, [0, 1], layer="a", **OWN)
    assert not maps[~shown()].any()
    assert maps[shown()].any()
    assert np.abs(maps).max() < 20


def test_cam_has_the_weights_of_the_dense_layer(rng):
    model, x = sequence(), padded(rng)
    activations = numpy(ke.inspection.expose(model, "a")(x)[1])
    weights = numpy(model.layers[-1].kernel)
    expected = (activations @ weights) * shown()[..., None]
    found = ke.explain(ke.methods.cams.cam, model, x, **OWN)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_hidden_positions_of_frames_have_maps_of_zero(rng):
    model, x = on_frames(sequence()), padded(rng)[None]
    _, maps = ke.explain(ke.methods.cams.gradcam, model, x, [0], layer="a", **OWN)
    assert not maps[0][~shown()].any()
    assert maps[0][shown()].any()


def test_maps_of_layers_that_lose_the_mask_are_whole(rng):
    inputs = keras.Input((6, 3))
    h = layers.Conv1D(4, 3, padding="same")(layers.Masking()(inputs).__mul__(1.0))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(h)))
    _, maps = ke.explain(ke.methods.cams.gradcam, model, padded(rng), [0, 1], **OWN)
    assert maps[0, 3].any()


@pytest.mark.filterwarnings("ignore:Layer 'lambda")
def test_positions_that_are_read_in_spite_of_the_mask_have_maps(rng):
    """Keras gives masks to `Lambda`, which neither uses them nor passes them on."""
    inputs = keras.Input((6, 3))
    h = layers.Dense(4, activation="sigmoid", name="a")(layers.Masking()(inputs))
    h = layers.Flatten()(layers.Lambda(lambda t: 2 * t)(h))
    model, x = keras.Model(inputs, layers.Dense(2, name="end")(h)), padded(rng)
    activations = numpy(ke.inspection.expose(model, "a")(x)[1])
    weights = numpy(model.get_layer("end").kernel).reshape(6, 4, 2)
    expected = np.einsum("btc,tck->btk", activations, 2 * weights)
    method = ke.methods.cams.hirescam
    found = ke.explain(method, model, x, layer="a", resizing=False, verbose=0)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
