"""Gradient methods with known answers: linear and quadratic models, small networks."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import (
    SHAPE,
    images,
    linear,
    numpy,
    quadratic,
    randomize,
    some_units,
    weights_of,
)

import keras_explainable as ke
from keras_explainable.methods.gradient import (
    expected_gradients,
    full_gradients,
    guided_gradients,
    input_x_gradient,
    integrated_gradients,
)

X, UNITS = images(), some_units()


def weighted(model, values):
    """Return the units' weights times values (B, H, W, C), summed over channels."""
    return (weights_of(model, UNITS) * values[..., None]).sum(axis=-2)


def relu_network(**conv):
    """Build convolutions with ReLUs, a global mean and a head without bias."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", activation="relu", **conv)(inputs)
    x = layers.BatchNormalization(epsilon=0.1, name="norm")(x)
    x = layers.ReLU()(layers.Conv2D(5, 3, padding="same")(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(5, use_bias=False, name="logits")(x))
    randomize(model)
    return model


def batch(count=3):
    return np.random.default_rng(0).normal(size=(count, 8, 8, 3)).astype("float32")


def test_inputs_times_gradients_of_a_linear_model_add_up_to_its_output():
    model = linear()
    logits, maps = input_x_gradient(model, X, UNITS)
    np.testing.assert_allclose(numpy(maps), weighted(model, X), rtol=1e-4, atol=1e-5)
    bias = numpy(model.get_layer("logits").bias)[UNITS]
    total = numpy(maps).sum(axis=(1, 2))
    np.testing.assert_allclose(total + bias, numpy(logits), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rule", ["gauss-legendre", "middle"])
def test_integrated_gradients_of_a_quadratic_model(rule):
    """Both rules integrate exactly a gradient that is linear along the path."""
    model = quadratic()
    _, maps = integrated_gradients(model, X, UNITS, n_steps=3, rule=rule)
    np.testing.assert_allclose(numpy(maps), weighted(model, X**2), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("baseline", [0.5, np.full(SHAPE, 0.5), np.arange(3) * 0.5])
def test_baselines(baseline):
    model = quadratic()
    if np.shape(baseline) == (3,):
        with pytest.raises(ValueError, match="`baseline` must be a number or have"):
            integrated_gradients(model, X, UNITS, baseline=baseline)
        return
    _, maps = integrated_gradients(model, X, UNITS, baseline=baseline, n_steps=4)
    expected = weighted(model, X**2 - 0.25)
    np.testing.assert_allclose(numpy(maps), expected, rtol=1e-4, atol=1e-4)


def test_a_blurred_baseline_has_the_mean_of_a_flat_image():
    flat = np.full((1, 6, 7, 2), 3.0, "float32")
    np.testing.assert_allclose(numpy(ke.filters.blur(flat, 1.5)), flat, rtol=1e-6)
    one = np.zeros((1, 31, 31, 1), "float32")
    one[0, 15, 15] = 1
    blurred = numpy(ke.filters.blur(one, 2.0))[0, ..., 0]
    assert blurred.sum() == pytest.approx(1, rel=1e-4)
    spread = (blurred.sum(axis=0) * (np.arange(31) - 15) ** 2).sum()
    assert spread == pytest.approx(4, rel=0.01)
    model = relu_network()
    _, maps = integrated_gradients(
        model, batch(), [0, 1, 2], baseline="blur", n_steps=99
    )
    start = numpy(ke.filters.blur(batch(), 0.8))
    found = (numpy(model(x))[range(3), range(3)] for x in (batch(), start))
    np.testing.assert_allclose(
        numpy(maps).sum(axis=(1, 2, 3)), np.subtract(*found), rtol=0.02, atol=1e-3
    )


def test_integrated_gradients_add_up():
    model = relu_network()
    logits, maps = integrated_gradients(model, batch(), n_steps=100)
    nothing = numpy(model(np.zeros_like(batch())))
    total = numpy(maps).sum(axis=(1, 2))
    np.testing.assert_allclose(total, numpy(logits) - nothing, rtol=0.02, atol=2e-3)


def test_channels_are_kept_if_asked_for():
    model = quadratic()
    _, maps = integrated_gradients(model, X, UNITS, channel_reduction=None, n_steps=2)
    expected = weights_of(model, UNITS) * X[..., None] ** 2
    np.testing.assert_allclose(numpy(maps), expected, rtol=1e-4, atol=1e-5)


def test_a_gap_gives_a_warning():
    inputs = keras.Input((2, 2, 1))
    outputs = layers.Dense(1)(layers.Flatten()(ops.tanh(9 * inputs)))
    model = keras.Model(inputs, outputs)
    with pytest.warns(UserWarning, match=r"do not add up.*Increase `n_steps`"):
        integrated_gradients(model, np.ones((1, 2, 2, 1)), [[0]], n_steps=2)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_steps": 0}, ValueError, "`n_steps` must be at least 1"),
        ({"rule": "simpson"}, ValueError, "`rule` must be one of .*'simpson'"),
        ({"baseline": "black"}, ValueError, "images or 'blur'; received 'black'"),
        ({"baseline": object()}, TypeError, "`baseline` must be an array"),
    ],
)
def test_errors_of_integrated_gradients(options, error, message):
    with pytest.raises(error, match=message):
        integrated_gradients(linear(), X, UNITS, **options)


def test_expected_gradients_of_a_quadratic_model():
    """The mean over baselines and points is w (x^2 - E b^2) if b has mean 0."""
    model, data = quadratic(), np.concatenate([images(8, 3), -images(8, 3)])
    _, maps, stats = expected_gradients(
        model, X, UNITS, data=data, repetitions=3000, seed=0, rows=60, return_stats=True
    )
    expected = weighted(model, X**2 - (data**2).mean(axis=0))
    off = (numpy(maps) - expected) / stats.std_error
    assert 0.7 < np.sqrt((off**2).mean()) < 1.4  # The errors of pixels are correlated.
    assert stats.relative_error.max() < 0.2


def test_expected_gradients_check_their_data():
    with pytest.raises(ValueError, match=r"`data` must have shape \(M, ...\)"):
        expected_gradients(linear(), X, UNITS, data=np.zeros((3, 2, 2, 1)))


RELUS = {
    "activation": lambda x, dense: dense(activation="relu")(x),
    "layer": lambda x, dense: layers.ReLU()(dense()(x)),
    "activation layer": lambda x, dense: layers.Activation("relu")(dense()(x)),
    "op": lambda x, dense: ops.relu(dense()(x)),
    "nested": lambda x, dense: keras.Sequential(
        [keras.Input(x.shape[1:]), dense(activation="relu")]
    )(x),
    "relu6": lambda x, dense: dense(activation="relu6")(x),
    "relu6 layer": lambda x, dense: layers.ReLU(6)(dense()(x)),
}


@pytest.mark.parametrize("kind", RELUS)
def test_guided_gradients_of_one_hidden_layer(kind):
    """d f / d x = W1 (relu(w2) * (0 < z < limit))."""
    inputs = keras.Input(SHAPE)
    hidden = RELUS[kind](layers.Flatten()(inputs), partial(layers.Dense, 7))
    model = keras.Model(inputs, layers.Dense(5, name="logits")(hidden))
    randomize(model)
    x = 3 * X
    weights = [weight for weight in model.weights if len(weight.shape) == 2]
    first, second = map(numpy, weights)
    bias = numpy(next(w for w in model.weights if tuple(w.shape) == (7,)))
    z = x.reshape(len(x), -1) @ first + bias
    is_open = (z > 0) & (z < (6 if "6" in kind else np.inf))
    upstream = np.maximum(second.T[UNITS], 0) * is_open[:, None]
    expected = np.einsum("ih,bkh->bik", first, upstream).reshape(len(x), *SHAPE, -1)
    _, maps = guided_gradients(
        model, x, UNITS, gradient_filter=None, channel_reduction=None
    )
    np.testing.assert_allclose(numpy(maps), expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("relu", ["leaky_relu", "gelu", None])
def test_a_model_without_relus_is_refused(relu):
    inputs = keras.Input(SHAPE)
    x = layers.Dense(4, activation=relu)(layers.Flatten()(inputs))
    model = keras.Model(inputs, layers.Dense(3)(x))
    with pytest.raises(ValueError, match=r"must have ReLUs.*none was found"):
        guided_gradients(model, X, [[0]] * len(X))


def test_guided_gradients_do_not_change_the_model():
    model = relu_network()
    before = [layer.__dict__.copy() for layer in model.layers]
    expected = numpy(model(batch()))
    guided_gradients(model, batch(), [0, 1, 2])
    assert [layer.__dict__ for layer in model.layers] == before
    np.testing.assert_array_equal(numpy(model(batch())), expected)


def assert_full_gradients_add_up(model, x):
    """They do, and those of the lowered copy are the same."""
    logits, maps = full_gradients(model, x, psi=None)
    total = numpy(maps).sum(axis=(1, 2))
    np.testing.assert_allclose(total, numpy(logits), rtol=1e-3, atol=1e-4)
    lowered = ke.explain(full_gradients, model, x, psi=None, verbose=0)[1]
    np.testing.assert_allclose(lowered, numpy(maps), rtol=1e-3, atol=1e-4)


def test_full_gradients_of_relus_add_up_to_the_output():
    assert_full_gradients_add_up(relu_network(), batch())


@pytest.mark.parametrize(
    "activation",
    [
        layers.Activation("relu6"),
        layers.ReLU(max_value=2.0, negative_slope=0.1),
        layers.ELU(),
        layers.LeakyReLU(),
        "gelu",
        "tanh",
        ops.silu,
    ],
)
def test_full_gradients_include_the_biases_of_activations(activation):
    """So does the bias of rescaling; maps keep their sums when they are enlarged."""
    inputs = keras.Input((9, 11, 3))
    x = layers.Rescaling(2.0, offset=0.7)(inputs)
    own = activation if isinstance(activation, str) else None
    x = layers.Conv2D(4, 3, strides=2, activation=own)(x)
    x = activation(x) if own is None else x
    x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.ReLU()(layers.Conv2D(5, 2)(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(5, use_bias=False)(x))
    randomize(model)
    x = np.random.default_rng(0).normal(size=(3, 9, 11, 3)).astype("float32")
    assert_full_gradients_add_up(model, x)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_the_rounding_of_rescaling_is_no_bias(policy):
    scale, x = np.array([3.0, 2.0, 4.0], "float32"), batch()
    maps = []
    for front in (None, layers.Normalization(mean=[0.0] * 3, variance=scale**2)):
        inputs = keras.Input((8, 8, 3))
        h = inputs if front is None else front(inputs)
        h = layers.ReLU(dtype=policy)(layers.Conv2D(4, 3, dtype=policy)(h))
        h = layers.GlobalAveragePooling2D(dtype="float32")(h)
        model = keras.Model(inputs, layers.Dense(2)(h))
        randomize(model)
        seen = x if front is None else x * scale
        maps.append(full_gradients(model, seen, [0, 1, 0])[1])
    np.testing.assert_allclose(*maps, atol=1e-5 if policy == "float32" else 0.01)


def test_full_gradients_without_biases_or_with_those_of_einsum_dense():
    inputs = keras.Input((6, 7, 3))
    for bias_axes in (None, "d"):
        dense = layers.EinsumDense("bhwc,cd->bhwd", (6, 7, 4), bias_axes=bias_axes)
        x = layers.GlobalAveragePooling2D()(layers.ReLU()(dense(inputs)))
        model = keras.Model(inputs, layers.Dense(2, use_bias=False)(x))
        randomize(model)
        x = np.random.default_rng(0).normal(size=(3, 6, 7, 3)).astype("float32")
        assert_full_gradients_add_up(model, x)


def test_full_gradients_follow_changed_weights():
    model = relu_network()
    full_gradients(model, batch(), psi=None)
    randomize(model, seed=1)
    for found in (
        full_gradients(model, batch(), psi=None),
        ke.explain(full_gradients, model, batch(), psi=None, verbose=0),
    ):
        logits, maps = map(numpy, found)
        np.testing.assert_allclose(maps.sum(axis=(1, 2)), logits, rtol=1e-3, atol=1e-4)


def test_full_gradients_of_a_model_exposed_by_hand():
    """As in the original package: from layers, their biases, and the exposed model."""
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.ReLU()(layers.Conv2D(5, 3, strides=2)(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(5, name="predictions")(x))
    randomize(model)
    logits = ke.inspection.get_logits_layer(model)
    inters, biases = ke.inspection.layers_with_biases(model, exclude=[logits])
    assert len(inters) == 3
    exposed = ke.inspection.expose(model, inters, logits)
    expected = ke.full_gradients(model, batch(), verbose=0)
    found = ke.full_gradients(exposed, batch(), biases=biases, verbose=0)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_biases_must_fit_the_exposed_layers():
    exposed = ke.inspection.expose(relu_network(), "norm")
    with pytest.raises(ValueError, match=r"`biases` must have shapes \[\(4,\)\]"):
        full_gradients(exposed, batch(), biases=[np.zeros(3)])


def test_terms_are_resized_and_made_positive():
    model = relu_network(strides=2)
    _, maps = full_gradients(model, batch(), [[0, 1]] * 3)
    assert tuple(maps.shape) == (3, 8, 8, 2)
    assert numpy(maps).min() >= 0
