"""Operations may lose the number of rows where TensorFlow compiles them."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke

NAMES = ("gradients", "smoothgrad", "gradcam", "integrated_gradients", "occlusion")
PARAMS = {"smoothgrad": {"repetitions": 2}, "integrated_gradients": {"n_steps": 2}}


def forgetful(x):
    """Return x, of a batch size that is not known while compiling."""
    if keras.backend.backend() != "tensorflow":
        return x
    import tensorflow as tf

    return tf.boolean_mask(x, tf.reduce_all(tf.math.is_finite(x), axis=[1, 2, 3]))


def network(forgets):
    keras.utils.set_random_seed(0)
    h = inputs = keras.Input((6, 6, 3))
    if forgets:
        h = layers.Lambda(forgetful, output_shape=(6, 6, 3))(h)
    h = layers.Conv2D(4, 3, activation="relu")(h)
    return keras.Model(inputs, layers.Dense(3)(ops.mean(h, axis=(1, 2))))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("y", [[0, 2], None])
def test_maps_are_those_of_a_network_that_keeps_it(name, y, rng):
    x = rng.normal(size=(2, 6, 6, 3)).astype("float32")
    explain, params = getattr(ke, name), PARAMS.get(name, {})
    found = explain(network(True), x, y, verbose=0, **params)
    expected = explain(network(False), x, y, verbose=0, **params)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)
