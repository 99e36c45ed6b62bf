"""Functions of single values that are written out follow the rules of Keras' own."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.methods import gradient, meta
from keras_explainable.network.attribution_rules import with_rules
from keras_explainable.network.trace_model import trace

ROOT = 2**0.5
LIBRAGRAD = meta.libragrad(gradient.input_x_gradient)
PLAIN = {"verbose": 0, "postprocessing": None}
EXPLAIN = [ke.attnlrp, partial(ke.explain, LIBRAGRAD)]


def gelu(x):
    return 0.5 * x * (1 + ops.erf(x / ROOT))


def exact_gelu(x):
    return ops.gelu(x, approximate=False)


def gelu_by_tanh(x):
    inner = (2 / np.pi) ** 0.5 * (x + 0.044715 * ops.power(x, 3))
    return 0.5 * x * (1 + ops.tanh(inner))


class Gelu(layers.Layer):
    def call(self, x):
        return gelu(x)


def tanh_by_exponentials(x):
    up, down = ops.exp(x), ops.exp(-x)
    return (up - down) / (up + down)


#: What is written, and the function of Keras that it is.
WRITTEN = {
    "gelu": (gelu, exact_gelu),
    "gelu by tanh": (gelu_by_tanh, ops.gelu),
    "sigmoid of silu": (
        lambda x: ops.sigmoid(x / (1 + ops.exp(-x))),
        lambda x: ops.sigmoid(ops.silu(x)),
    ),
    "gelu in a layer": (Gelu(), exact_gelu),
    "gelu of an Activation": (layers.Activation(gelu), exact_gelu),
    "gelu in a Lambda": (layers.Lambda(gelu), exact_gelu),
    "silu": (lambda x: x / (1 + ops.exp(-x)), ops.silu),
    "silu by sigmoid": (lambda x: x * ops.sigmoid(x), ops.silu),
    "sigmoid": (lambda x: 1 / (1 + ops.exp(-x)), ops.sigmoid),
    "mish": (lambda x: x * ops.tanh(ops.softplus(x)), layers.Activation("mish")),
    "softplus": (lambda x: ops.log(1 + ops.exp(x)), ops.softplus),
    "tanh": (tanh_by_exponentials, ops.tanh),
    "elu": (lambda x: ops.where(x > 0, x, ops.exp(x) - 1), ops.elu),
    "hard swish": (lambda x: x * ops.relu6(x + 3) / 6, ops.hard_swish),
    "square": (lambda x: x * x, ops.square),
}


def network(function):
    start, middle, end = (keras.initializers.GlorotUniform(seed) for seed in (0, 1, 2))
    inputs = keras.Input((6, 4))
    x = layers.Dense(5, kernel_initializer=start, bias_initializer="ones")(inputs)
    x = layers.Dense(5, kernel_initializer=middle)(function(x))
    pooled = layers.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, layers.Dense(3, kernel_initializer=end)(pooled))


@pytest.mark.parametrize("name", WRITTEN)
def test_maps_are_those_of_the_function(name, rng):
    x = rng.normal(size=(2, 6, 4)).astype("float32")
    written, known = map(network, WRITTEN[name])
    for explain in EXPLAIN:
        found, expected = (explain(m, x, [1, 2], **PLAIN) for m in (written, known))
        np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(found.maps, expected.maps, rtol=1e-3, atol=1e-5)


def test_an_activation_of_the_users_follows_the_rules(rng):
    x = rng.normal(size=(2, 4)).astype("float32")
    given = {"kernel_initializer": keras.initializers.GlorotUniform(0)}
    found = []
    for activation in (gelu, exact_gelu):
        hidden = layers.Dense(5, activation=activation, **given)
        model = keras.Sequential([keras.Input((4,)), hidden, layers.Dense(2, **given)])
        found.append(ke.attnlrp(model, x, [0, 1], **PLAIN).maps)
    np.testing.assert_allclose(*found, rtol=1e-4, atol=1e-6)


def test_a_bias_before_the_function_takes_its_share(rng):
    """The relevance of a sum x + b is shared, also if a written function follows."""
    inputs = keras.Input((4,))
    x = layers.Dense(3, use_bias=False)(inputs)
    model = keras.Model(inputs, layers.Dense(1, use_bias=False)(gelu(2 * x + 0.5)))
    values = rng.normal(size=(1, 4)).astype("float32")
    kernel, last = (ops.convert_to_numpy(w) for w in model.weights)
    x = values @ kernel
    total = 2 * x + 0.5
    relevance = ops.convert_to_numpy(exact_gelu(total))[0] * last[:, 0] * 2 * x / total
    maps = ke.attnlrp(model, values, [0], **PLAIN).maps
    np.testing.assert_allclose(maps.sum(), relevance.sum(), rtol=1e-4)


def test_a_constant_between_two_functions_takes_its_share():
    """In networks of ReLUs, the maps are the inputs times their gradients."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, ops.relu(ops.relu(inputs) - 1))
    assert ke.attnlrp(model, np.float32([[3]]), [0], **PLAIN).maps.ravel() == 3


@pytest.mark.parametrize(
    "mask",
    [
        lambda x: ops.abs(x) > 0.5,
        lambda x: ops.logical_and(x > 0, x < 1),
        lambda x: ops.square(x) > 0.5,
    ],
)
def test_comparisons_are_no_functions_of_one(mask, rng):
    x = rng.normal(size=(1, 6, 4)).astype("float32")
    inputs = keras.Input((6, 4))
    h = layers.Dense(4, use_bias=False)(inputs)
    shown = ops.where(mask(h), 2 * ops.roll(h, 1, axis=1), 0)
    model = keras.Model(inputs, ops.sum(shown, axis=1))
    for explain in EXPLAIN:
        found = explain(model, x, [0], **PLAIN)
        np.testing.assert_allclose(found.maps.sum(), found.logits.sum(), rtol=1e-4)


def test_activations_with_weights_of_a_shape(rng):
    x = rng.normal(size=(1, 6, 5, 4)).astype("float32")
    start = keras.initializers.Constant(0.3)
    prelu = layers.PReLU(start, shared_axes=[1, 2])
    model = keras.Sequential([keras.Input((6, 5, 4)), prelu, layers.Activation("tanh")])
    model.add(layers.GlobalAveragePooling2D())
    found = ke.explain(LIBRAGRAD, model, x, [0], **PLAIN)
    np.testing.assert_allclose(found.maps.sum(), found.logits.sum(), rtol=1e-4)


def test_layers_within_a_function_keep_their_maps(rng):
    """A gate that reads the same values as what it multiplies."""
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same", name="convolution")(inputs)
    x = x * layers.Activation("sigmoid", name="gate")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    method = meta.libragrad(ke.methods.cams.hirescam)
    images = rng.normal(size=(1, 6, 6, 3)).astype("float32")
    for layer in ("gate", "convolution"):
        assert ke.explain(method, model, images, [0], layer=layer, verbose=0).maps.any()


#: Forms of z over the root of its mean square.
SCALED = {
    "divided": lambda x, square: x / ops.sqrt(square),
    "power": lambda x, square: x * square**-0.5,
    "power function": lambda x, square: x * ops.power(square, -0.5),
    "one over": lambda x, square: x * (1 / ops.sqrt(square)),
    "rsqrt": lambda x, square: x * ops.rsqrt(square),
}


@pytest.mark.parametrize("name", SCALED)
def test_the_scale_of_a_written_normalization_is_fixed(name, rng):
    def normalized(x):
        square = ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-6
        return SCALED[name](x, square)

    x = rng.normal(size=(2, 6, 4)).astype("float32")
    known = network(layers.RMSNormalization(epsilon=1e-6))
    found, expected = (
        ke.attnlrp(model, x, [1, 2], **PLAIN).maps
        for model in (network(normalized), known)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_sums_after_a_function_stay_steps_of_their_own():
    """A skip connection, and a constant that is added, are no part of the function."""
    inputs = keras.Input((4,))
    x = layers.Dense(4)(inputs)
    model = keras.Model(inputs, x + gelu(x) + 1)
    names = [step.operation.name for step in with_rules(trace(model), "attnlrp").steps]
    assert len(names) == 4  # The layer, the function, the skip and the constant.
