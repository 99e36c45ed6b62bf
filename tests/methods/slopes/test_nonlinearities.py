"""The mean slopes of single layers, against closed forms and many samples."""

import math
from functools import partial

import keras
import numpy as np
import pytest
from keras import layers
from support.estimators import agrees_in_the_limit, distance, explained, network

import keras_explainable as ke
from keras_explainable import backend
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.slopes import linearized_network
from keras_explainable.methods.slopes.record_statistics import run_and_record


@pytest.fixture(autouse=True)
def seeded():
    keras.utils.set_random_seed(7)


def one_hidden_layer(activation):
    hidden, head = layers.Dense(6, activation=activation), layers.Dense(2)
    return keras.Sequential([keras.Input((5,)), hidden, head]), hidden, head


def test_one_hidden_layer_has_the_closed_form():
    model, hidden, head = one_hidden_layer("relu")
    x = np.random.default_rng(0).normal(size=(1, 5)).astype("f4")
    kernel, out = (a.get_weights()[0] for a in (hidden, head))
    ratio = (x[0] @ kernel) / (0.5 * np.linalg.norm(kernel, axis=0))
    share = np.array([(1 + math.erf(r / math.sqrt(2))) / 2 for r in ratio])
    found = explained(model, x, [1], "slopes", 2000, batch_size=500)
    assert distance(found[0, :, 0], kernel @ (share * out[:, 1])) < 0.03


#: Activations that are not elementwise, do nothing, or need a parameter.
OTHERS = {"glu", "linear", "log_softmax", "softmax", "sparsemax", "threshold"}
ACTIVATIONS = sorted(
    name
    for name in vars(keras.activations)
    if name.islower() and not name.startswith("_") and name not in OTHERS
    and name not in ("deserialize", "get", "serialize")
)  # fmt: skip


def slope_under_noise(name, mean, deviation):
    """Return the expected slope of a Gaussian, by a sum over a fine grid."""
    e = np.linspace(-6, 6, 4001)[:, None]
    z = (mean + deviation * e).astype("f4")
    values = keras.ops.convert_to_numpy(getattr(keras.activations, name)(z))
    slope = np.gradient(values.astype("f8"), axis=0) / np.gradient(
        z.astype("f8"), axis=0
    )
    slope[np.abs(slope) > 50] = 0  # The derivative does not see jumps.
    weight = np.exp(-(e**2) / 2)
    return (slope * weight).sum(axis=0) / weight.sum()


@pytest.mark.filterwarnings("error::UserWarning")
def test_every_activation_of_one_hidden_layer():
    """Each activation has a unit of its own."""
    assert len(ACTIVATIONS) > 20
    inputs, x = keras.Input((5,)), 3 * np.random.default_rng(0).normal(size=(1, 5))
    hidden = [layers.Dense(6, activation=name) for name in ACTIVATIONS]
    heads = [layers.Dense(1)(layer(inputs)) for layer in hidden]
    model = keras.Model(inputs, layers.Concatenate()(heads))
    units = [[*range(len(hidden))]]
    found = explained(model, x.astype("f4"), units, "slopes", 8000, batch_size=2000)
    outs = [layer for layer in model.layers if layer.output.shape == (None, 1)]
    for k, (name, layer, out) in enumerate(zip(ACTIVATIONS, hidden, outs, strict=True)):
        [kernel, _], [weights, _] = layer.get_weights(), out.get_weights()
        spread = 0.5 * np.linalg.norm(kernel, axis=0)
        share = slope_under_noise(name, x[0] @ kernel, spread)
        expected = kernel @ (share * weights[:, 0])
        assert distance(found[0, :, k], expected) < 0.03, name


def test_quadratic_network_is_exact_in_expectation():
    """The slope 2 z is linear, and pairs have the mean of z without error."""
    inputs = keras.Input((5,))
    hidden = layers.Dense(4)
    squares = keras.ops.square(hidden(inputs))
    model = keras.Model(inputs, layers.Dense(2)(squares))
    x = np.random.default_rng(0).normal(size=(2, 5)).astype("f4")
    _, expected = ke.explain(SIGNED_GRADIENTS, model, x, [0, 1], verbose=0)
    found = explained(model, x, [0, 1], "slopes", 2)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_batch_norm_is_linear():
    norm = layers.BatchNormalization()
    model = network(layers.Conv2D(4, 3), norm, layers.ReLU())
    norm.moving_variance.assign([0.5, 2, 1, 3])
    norm.gamma.assign([1, -2, 1, 0.5])
    agrees_in_the_limit(model)


def test_statistics_of_integers_are_floats():
    inputs = keras.Input((3,))
    whole = keras.ops.maximum(keras.ops.cast(inputs, "int32"), 1)
    model = linearized_network.exposed_model(
        keras.Model(inputs, keras.ops.cast(whole, "float32"))
    )
    x = np.array([[2, 0, 5], [3, 0, 5]], "float32")
    x, weights = map(keras.ops.convert_to_tensor, (x, np.full((2, 1), 0.5, "f4")))
    _, [_, [mean, square], _] = backend.jit(partial(run_and_record, model))(x, weights)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(mean), [[2.5, 0, 5]])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(square), [[6.5, 0, 25]])


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_max_pooling(padding):
    agrees_in_the_limit(network(layers.MaxPooling2D(3, 2, padding)))


@pytest.mark.parametrize(
    "pooling",
    [
        layers.MaxPooling1D(3, 2, "same"),
        layers.GlobalMaxPooling1D(),
        layers.GlobalMaxPooling1D(keepdims=True),
    ],
)
def test_max_pooling_of_signals(pooling):
    agrees_in_the_limit(network(layers.Conv1D(4, 3), pooling, shape=(12, 3)))


@pytest.mark.parametrize(
    "pooling", [layers.MaxPooling3D(2, 1), layers.GlobalMaxPooling3D()]
)
def test_max_pooling_of_volumes(pooling):
    agrees_in_the_limit(network(pooling, shape=(4, 4, 4, 2)))


@pytest.mark.parametrize("relu", [layers.ReLU(), layers.ReLU(max_value=6)])
@pytest.mark.parametrize(
    "pooling", [layers.MaxPooling2D(2), layers.GlobalMaxPooling2D()]
)
def test_a_relu_and_the_pooling_after_it_are_exact_together(relu, pooling):
    """The slope of each contains the chance that the ReLU is open at the argmax."""
    agrees_in_the_limit(network(relu, pooling), repetitions=2048)


def test_relus_are_found_through_layers_that_forward_their_values():
    inputs = keras.Input((8, 8, 3))
    parts = [layers.ReLU()(inputs), keras.ops.relu(-inputs)]
    pooled = layers.MaxPooling2D(2)(layers.Concatenate()(parts))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(pooled)))
    agrees_in_the_limit(model, repetitions=2048)


@pytest.mark.parametrize(
    "norm",
    [
        layers.LayerNormalization(),
        layers.LayerNormalization(axis=(1, 2, 3), scale=False),
        layers.RMSNormalization(),
    ],
)
def test_normalizations(norm):
    agrees_in_the_limit(network(layers.Conv2D(16, 3), norm), within=0.06)


@pytest.mark.parametrize("sharp", [3.0, 10.0])
@pytest.mark.parametrize(
    "softmax", [layers.Softmax(), layers.Activation("softmax"), layers.Softmax(axis=1)]
)
def test_softmax(softmax, sharp):
    """At the mean input, or without the factor, the errors would be 0.2 and 1.1."""
    model = network(layers.Conv2D(16, 3), layers.Rescaling(sharp), softmax)
    agrees_in_the_limit(model, within=0.1 if sharp == 3 else 0.25)


def convolved(function):
    """Return a network that applies a function to the outputs of a convolution."""
    inputs = keras.Input((8, 8, 3))
    values = function(layers.Conv2D(4, 3)(inputs))
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(values)))


def generalised_mean(x):
    cubes = keras.ops.mean(keras.ops.power(keras.ops.relu(x), 3), axis=(1, 2))
    return keras.ops.power(cubes + 1e-6, 1 / 3)


@pytest.mark.parametrize(
    ("function", "within"),
    [
        (lambda x: keras.ops.sqrt(keras.ops.square(x) + 0.1), 0.35),
        (lambda x: keras.ops.log(1 + keras.ops.exp(x)), 0.2),
        (lambda x: keras.ops.reciprocal(1 + keras.ops.exp(x)), 0.3),
        (lambda x: keras.ops.rsqrt(1 + keras.ops.square(x)), 0.4),
        (generalised_mean, 0.1),
        (keras.ops.hard_shrink, 0.05),
    ],
)
def test_functions_with_poles_bounds_and_jumps(function, within):
    """Functions that follow each other are not independent: hence the errors."""
    agrees_in_the_limit(convolved(function), within=within)


@pytest.mark.parametrize(
    ("function", "within"),
    [
        (lambda x: x * keras.ops.cast(x > 0, "float32"), 0.05),
        (lambda x: keras.ops.where(x > 0, x, 0.1 * x), 0.4),
    ],
)
@pytest.mark.filterwarnings("ignore:The slopes of these layers")
def test_tensors_that_are_not_floats_have_no_derivative(function, within):
    agrees_in_the_limit(convolved(function), within=within)


@pytest.mark.filterwarnings("error::UserWarning")
def test_layers_of_attention_are_opened_into_operations():
    inputs = keras.Input((4, 6))
    attention = layers.MultiHeadAttention(2, 3)(inputs, inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(attention)))
    agrees_in_the_limit(model, within=0.2)


def test_steps_without_derivative_are_not_warned_of():
    model = convolved(lambda x: x * keras.ops.cast(x > 0, "float32"))
    assert linearized_network.model_with_known_slopes(model) is not None


@pytest.mark.parametrize(
    ("before", "pooling", "within"),
    [
        ([layers.UpSampling2D(2)], layers.MaxPooling2D(2), 0.01),
        ([layers.ReLU(), layers.UpSampling2D(2)], layers.MaxPooling2D(2), 0.05),
        ([layers.UpSampling2D(2)], layers.GlobalMaxPooling2D(), 0.08),
        ([layers.MaxPooling2D(3, 1, "same")], layers.MaxPooling2D(3, 1, "same"), 0.5),
        ([layers.ReLU(max_value=0.5)], layers.MaxPooling2D(3), 0.25),
    ],
)
def test_only_one_of_equal_values_is_the_argmax(before, pooling, within):
    """If all were, the errors would be 3 and more. Two poolings are not independent."""
    agrees_in_the_limit(network(layers.Conv2D(4, 3), *before, pooling), within=within)


class Odd(layers.Layer):
    """A layer that has an activation, but is not one."""

    def __init__(self):
        super().__init__()
        self.activation = keras.activations.relu

    def call(self, x):
        return x - 0.3 * self.activation(x) - 2


@pytest.mark.filterwarnings("ignore:The slopes of these layers")
def test_a_layer_with_an_activation_is_not_an_activation():
    model = network(layers.Conv2D(4, 3), Odd(), layers.MaxPooling2D(2))
    agrees_in_the_limit(model, within=0.2)


def test_pooling_that_rounds_its_input_is_approximated():
    pooling = layers.MaxPooling2D(2, dtype="mixed_bfloat16", name="rounding")
    model = network(layers.Conv2D(4, 3), pooling)
    with pytest.warns(UserWarning, match="rounding"):
        agrees_in_the_limit(model, within=0.8)  # Rounded argmaxes would give 1.


@pytest.mark.parametrize("scale", [1e3, 1e-3])
def test_sums_in_half_precision_do_not_overflow_or_vanish(scale):
    inputs = keras.Input((8, 8, 3), dtype="float16")
    hidden = layers.Dense(8, activation="relu", dtype="float16")(inputs)
    head = layers.Dense(3, dtype="float16")(layers.Flatten(dtype="float16")(hidden))
    outputs = layers.Rescaling(scale, dtype="float16")(head)
    x = np.random.default_rng(3).normal(size=(1, 8, 8, 3)).astype("f2")
    model = keras.Model(inputs, outputs)
    found, expected = (explained(model, x, [0], e, 32) for e in ("hybrid", "sampled"))
    assert distance(found, expected) < 0.3
