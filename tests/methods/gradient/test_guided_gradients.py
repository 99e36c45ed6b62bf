"""Guided gradients find ReLUs wherever they are, or say where they cannot look."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke


class ByHand(layers.Layer):
    """A ReLU that passes only positive derivatives back."""

    def call(self, x):
        @ops.custom_gradient
        def relu(x):
            def back(*args, upstream=None):
                gradient = args[-1] if upstream is None else upstream
                return ops.where(x > 0, ops.relu(gradient), ops.zeros_like(x))

            return ops.relu(x), back

        return relu(x)


class Residual(layers.Layer):
    """A block of two convolutions, each with a ReLU after it."""

    def __init__(self, relu, inner=None):
        super().__init__()
        self.first = layers.Conv1D(4, 3, padding="same", activation=inner)
        self.second = layers.Conv1D(4, 3, padding="same")
        self.between = (lambda x: x) if inner else relu
        self.last = relu

    def call(self, x):
        return self.last(x + self.second(self.between(self.first(x))))


FORMS = {
    "layer": layers.ReLU(),
    "activation": layers.Activation("relu"),
    "operation": ops.relu,
    "function": keras.activations.relu,
    "maximum": lambda x: ops.maximum(x, 0),
    "maximum of 0": lambda x: ops.maximum(0.0, x),
    "block of operations": lambda x: Residual(ops.relu)(x),
    "block of layers": lambda x: Residual(layers.ReLU(), "relu")(x),
}


def network(relu):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 3))
    x = layers.ReLU()(layers.Conv1D(4, 3)(inputs))  # One that is found in any case.
    x = relu(layers.Conv1D(4, 3)(x))
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def by_hand(form):
    guided = ByHand()
    block = (lambda x: Residual(guided)(x)) if "block" in form else guided
    inner = network(block)
    x = keras.Input((8, 3))
    first = ByHand()(inner.layers[1](x))
    rest = first
    for layer in inner.layers[3:]:
        rest = layer(rest)
    return keras.Model(x, rest)


@pytest.mark.parametrize("form", FORMS)
def test_relus_are_found_in_every_form(form, rng):
    x = rng.normal(size=(2, 8, 3)).astype("float32")
    model, reference = network(FORMS[form]), by_hand(form)
    for one, other in zip(reference.weights, model.weights, strict=True):
        one.assign(other)
    options = {"postprocessing": None, "verbose": 0}
    _, expected = ke.gradients(reference, x, [0, 1], **options)
    _, maps = ke.guided_gradients(model, x, [0, 1], **options)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)
    _, plain = ke.gradients(model, x, [0, 1], **options)
    assert np.abs(plain - expected).max() > 1e-4


class OwnRelu(layers.Layer):
    def call(self, x):
        return ops.relu(x)

    def compute_output_shape(self, shape):
        return shape


@pytest.mark.parametrize(
    "layer",
    [
        layers.Lambda(lambda x: ops.relu(x), name="own"),
        layers.TimeDistributed(OwnRelu(name="own")),
    ],
)
def test_layers_that_cannot_be_looked_into_are_named(layer, rng):
    x = rng.normal(size=(2, 8, 3)).astype("float32")
    model = network(layer)
    with pytest.warns(UserWarning, match="do not know what these layers compute: .*"):
        ke.guided_gradients(model, x, [0, 1], verbose=0)


class Clipped(layers.ReLU):
    def __init__(self):
        super().__init__(max_value=2.0)


@pytest.mark.parametrize(
    "relu",
    [lambda x: keras.activations.relu(x, max_value=2.0), lambda x: Clipped()(x)],
)
def test_a_limit_of_a_relu_counts_in_every_form(relu, rng):
    """Full gradients add up: what is above the limit is a bias."""
    inputs = keras.Input((8, 3))
    h = relu(5 * layers.Conv1D(4, 3)(inputs))
    pooled = layers.GlobalAveragePooling1D()(h)
    model = keras.Model(inputs, layers.Dense(2, use_bias=False)(pooled))
    x = rng.normal(size=(2, 8, 3)).astype("float32")
    method = ke.methods.gradient.full_gradients
    logits, maps = ke.explain(method, model, x, [0, 1], psi=None, verbose=0)
    np.testing.assert_allclose(maps.sum(axis=1), logits, rtol=1e-3, atol=1e-5)
