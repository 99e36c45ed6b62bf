"""Networks compute in float64 with their own weights where Keras does not round."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.engine.exact_network import ExactNetwork

ROUNDS = keras.backend.backend() != "tensorflow"


class Own(layers.Layer):
    def call(self, x):
        return ops.cast(ops.cast(x, "float32"), x.dtype)


def network(*between):
    x = inputs = keras.Input((6, 5, 3))
    x = layers.Conv2D(4, 3, activation="relu")(x)
    x = layers.BatchNormalization()(x)
    for layer in between:
        x = layer(x)
    x = layers.TimeDistributed(layers.GRU(2))(x)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


@pytest.fixture
def x(rng):
    return rng.normal(size=(1, 6, 5, 3)).astype("float32")


def test_values_are_those_of_the_network_and_more_precise(x):
    model = network(layers.MaxPooling2D(2))
    exact = ExactNetwork(model, x)
    assert exact.dtype == ("float32" if ROUNDS else "float64")
    own = ops.convert_to_numpy(model(x))
    np.testing.assert_allclose(exact.outputs(x), own, rtol=1e-4, atol=1e-5)
    smallest = 1e-9 if exact.dtype == "float64" else 1e-3
    change = exact.outputs(x.astype("float64") * (1 + smallest)) - exact.outputs(x)
    assert change.all()


def test_the_network_keeps_its_precision(x):
    model = network()
    before = [(layer.dtype_policy.name, layer.compute_dtype) for layer in model.layers]
    ke.check_gradients(model, x, [0])
    after = [(layer.dtype_policy.name, layer.compute_dtype) for layer in model.layers]
    assert after == before
    assert {each.dtype for each in model.weights} == {"float32"}


@pytest.mark.parametrize("layer", [Own(), layers.Rescaling(2.0, dtype="float16")])
def test_layers_that_may_round_keep_the_network_s_precision(layer, x):
    assert ExactNetwork(network(layer), x).dtype == "float32"


@pytest.mark.skipif(ROUNDS, reason="Keras rounds to float32")
def test_derivatives_agree_to_single_precision(x):
    for each in ke.check_gradients(network(), x, directions=4).comparisons:
        assert each.verdict == "agrees"
        np.testing.assert_allclose(each.derivative, each.difference, atol=1e-4)
        assert each.error < 1e-6
