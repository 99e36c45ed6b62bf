"""Networks compute in float64 with their own weights where Keras does not round."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.engine.exact_network import ExactNetwork

ROUNDS = keras.backend.backend() != "tensorflow"


class Own(layers.Layer):
    """A layer of a user's with layers in a list and in a dictionary."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.inner = [layers.Dense(3), keras.Sequential([layers.Dense(3, "tanh")])]
        self.named = {"norm": layers.LayerNormalization()}

    def build(self, shape):
        self.scale = self.add_weight(shape=(3,), initializer="random_normal")
        for layer in (*self.inner, *self.named.values()):
            layer.build((*shape[:-1], 3))

    def call(self, x):
        for layer in (*self.inner, *self.named.values()):
            x = layer(x)
        return self.function(x) * self.scale

    def compute_output_shape(self, shape):
        return (*shape[:-1], 3)


def rounded(x):
    return ops.cast(ops.cast(x, "float32"), x.dtype)


def rounded_in_a_loop(x):
    return ops.while_loop(lambda k, _: k < 2, lambda k, x: (k + 1, rounded(x)), (0, x))[
        1
    ]


def rounded_out_of_sight(x):
    import tensorflow as tf

    return tf.ensure_shape(tf.py_function(lambda x: x, [x], x.dtype), x.shape)


class Subclassed(keras.Model):
    def __init__(self, function):
        super().__init__()
        self.own, self.dense = [Own(function)], layers.Dense(2)

    def call(self, x):
        return self.dense(ops.mean(self.own[0](x), axis=(1, 2)))


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


def own_networks(function):
    subclassed = Subclassed(function)
    subclassed(np.zeros((1, 6, 5, 3)))
    return network(layers.Conv2D(3, 1), Own(function)), subclassed


@pytest.mark.parametrize(
    "layer",
    [layers.Lambda(rounded), layers.Rescaling(2.0, dtype="float16")],
    ids=["lambda", "half"],
)
def test_layers_that_round_keep_the_network_s_precision(layer, x):
    assert ExactNetwork(network(layer), x).dtype == "float32"


@pytest.mark.skipif(ROUNDS, reason="Keras rounds to float32")
@pytest.mark.parametrize("function", [rounded, rounded_in_a_loop, rounded_out_of_sight])
def test_code_of_the_user_s_that_may_round_keeps_the_precision(function, x):
    for model in own_networks(function):
        assert ExactNetwork(model, x).dtype == "float32"


@pytest.mark.skipif(ROUNDS, reason="Keras rounds to float32")
def test_code_of_the_user_s_runs_in_float64(x):
    def function(x):  # Keras cannot tell its operations.
        import tensorflow as tf

        return tf.math.softplus(x)

    for model in own_networks(function):
        exact = ExactNetwork(model, x)
        assert exact.dtype == "float64"
        own = ops.convert_to_numpy(model(x))
        np.testing.assert_allclose(exact.outputs(x), own, rtol=1e-4, atol=1e-5)
        change = exact.outputs(x.astype("float64") * (1 + 1e-9)) - exact.outputs(x)
        assert change.all()
        found = ke.check_gradients(model, x, directions=1)
        assert (found.agreeing, found.precision) == (1, "float64")
        assert all(each.error < 1e-6 for each in found.comparisons)
        assert {each.dtype for each in model.weights} == {"float32"}


def test_the_check_says_if_differences_are_less_precise(x):
    model = keras.Sequential([keras.Input((6, 5, 3)), layers.Lambda(rounded)])
    found = str(ke.check_gradients(model, x, lambda y: ops.mean(y, (1, 2, 3))))
    assert found.endswith(" agree (differences in the precision of the model)")


@pytest.mark.skipif(ROUNDS, reason="Keras rounds to float32")
def test_derivatives_agree_to_single_precision(x):
    for each in ke.check_gradients(network(), x, directions=4).comparisons:
        assert each.verdict == "agrees"
        np.testing.assert_allclose(each.derivative, each.difference, atol=1e-4)
        assert each.error < 1e-6
