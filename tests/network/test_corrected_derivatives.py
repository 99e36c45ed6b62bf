"""Derivatives are true, and at kinks the same on every backend."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.network.corrected_derivatives import (
    with_corrected_derivatives,
    with_framework_derivatives,
)
from keras_explainable.network.trace_model import trace

SIGNED = {"postprocessing": None, "gradient_filter": lambda x: x, "verbose": 0}
SELU = 1.6732632423543772 * 1.0507009873554805

#: Functions, where they are differentiated, and the derivatives.
ELEMENTWISE = {
    "abs": (ops.abs, [-2, 0, 3], [-1, 0, 1]),
    "celu": (ops.celu, [-1, 0, 2], [np.exp(-1), 1, 1]),
    "celu activation": (layers.Activation("celu"), [-1, 0, 2], [np.exp(-1), 1, 1]),
    "selu": (ops.selu, [-1, 0, 2], [SELU / np.e, SELU, 1.0507009873554805]),
    "leaky relu": (ops.leaky_relu, [-2, 0, 2], [0.2, 0.2, 1]),
    "leaky relu layer": (layers.LeakyReLU(0.3), [-2, 0, 2], [0.3, 0.3, 1]),
    "hard tanh": (ops.hard_tanh, [-2, -1, 0, 1, 2], [0, 1, 1, 1, 0]),
    "sparse sigmoid": (ops.sparse_sigmoid, [-1, 0, 1], [0, 0.5, 0]),
    "clip": (lambda x: ops.clip(x, -1, 2), [-2, -1, 0, 2, 3], [0, 1, 1, 1, 0]),
    "maximum": (lambda x: ops.maximum(x, 0.0), [-1, 0, 1], [0, 1, 1]),
    "minimum": (lambda x: ops.minimum(x, 1.0), [0, 1, 2], [1, 1, 0]),
    "second": (lambda x: ops.maximum(ops.zeros_like(x), x), [-1, 0, 1], [0, 0, 1]),
    "fmax": (lambda x: ops.fmax(x, 0.0), [-1, 0, 1], [0, 1, 1]),
    "fmin": (lambda x: ops.fmin(x, 1.0), [0, 1, 2], [1, 1, 0]),
    "sqrt": (ops.sqrt, [0, 1, 4], [0, 0.5, 0.25]),
    "chosen sqrt": (
        lambda x: ops.where(x > 0, ops.sqrt(x), 0.0),
        [0, 1, 4],
        [0, 0.5, 0.25],
    ),
    "cbrt": (ops.cbrt, [0, 1, 8], [0, 1 / 3, 1 / 12]),
    "limited relu": (
        layers.ReLU(2, negative_slope=0.1),
        [-1, 0, 1, 2, 3],
        [0.1, 0, 1, 1, 0],
    ),
    "fmod": (lambda x: ops.fmod(x, 2.0), [-3, 0, 3], [1, 1, 1]),
    "hypot": (lambda x: ops.hypot(x, ops.zeros_like(x)), [-2, 0, 2], [-1, 0, 1]),
    "floor divide": (lambda x: ops.floor_divide(x, 2.0) + x, [-1, 0, 1], [1, 1, 1]),
    "heaviside": (lambda x: ops.heaviside(x, 0 * x) + x, [-1, 0, 1], [1, 1, 1]),
    "hypot with itself": (lambda x: ops.hypot(x, x), [-1, 1], [-(2**0.5), 2**0.5]),
    "log add exp": (lambda x: ops.logaddexp(x, 1.0), [1, 1e9, -1e9], [0.5, 1, 0]),
    "log add exp 2": (lambda x: ops.logaddexp2(x, 1.0), [1, 99], [0.5, 1]),
    "power": (lambda x: ops.power(x, 0.0) + x**3, [0, 1, 2], [0, 3, 12]),
    "arctan2": (lambda x: ops.arctan2(x, ops.abs(x)), [0, 1], [0, 0]),
    "ldexp": (lambda x: ops.ldexp(x, np.int32([1, 3])), [0, 1], [2, 8]),
    "sinc": (ops.sinc, [0, 1, 2], [0, -1, 0.5]),
}

#: Functions of vectors, the vectors, and the derivatives.
OF_VECTORS = {
    "norm": (lambda x: ops.norm(x, keepdims=True), [0, 0, 0], [0, 0, 0]),
    "norm of others": (lambda x: ops.norm(x, keepdims=True), [3, 0, 4], [0.6, 0, 0.8]),
    "std": (lambda x: ops.std(x, axis=-1, keepdims=True), [2, 2, 2], [0, 0, 0]),
    "nanstd": (lambda x: ops.nanstd(x, axis=-1, keepdims=True), [2, 2, 2], [0, 0, 0]),
    "normalize": (lambda x: ops.normalize(x), [0, 0, 0], [0, 0, 0]),
    "unit": (layers.UnitNormalization(), [0, 0, 0], [0, 0, 0]),
    "cumprod": (lambda x: ops.cumprod(x, axis=-1)[:, -1:], [2, 0, 3], [0, 6, 0]),
    "cumprod sum": (lambda x: ops.cumprod(x, axis=1), [2, 0, 3], [1, 8, 0]),
    "nancumprod": (lambda x: ops.nancumprod(x, axis=1), [2, 0, 3], [1, 8, 0]),
    "cdist": (lambda x: ops.cdist(x, ops.zeros((1, 3))), [0, 0, 0], [0, 0, 0]),
    "cdist of others": (
        lambda x: ops.cdist(x, ops.zeros((1, 3))),
        [3, 0, 4],
        [0.6, 0, 0.8],
    ),
    "cosine": (
        lambda x: layers.Dot(-1, normalize=True)([x, ops.ones_like(x)]),
        [0, 0, 0],
        [0, 0, 0],
    ),
    "top k": (lambda x: ops.top_k(x, 2)[0], [5, 5, 5], [1, 1, 0]),
}


def derivatives(function, x, **options):
    """Return the derivatives of the sum of a function of rows of x."""
    inputs = keras.Input(np.shape(x)[1:])
    total = ops.sum(layers.Flatten()(function(inputs)), axis=1, keepdims=True)
    model = keras.Model(inputs, total)
    x = np.asarray(x, "float32")
    logits, maps = ke.gradients(model, x, **SIGNED, **options)
    np.testing.assert_allclose(logits, numpy(model(x)), rtol=1e-5, atol=1e-6)
    return maps[..., 0]


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("merge", [layers.Maximum(), layers.Minimum()])
def test_layers_that_merge_several_tensors(merge, lower):
    """Of equal values, the first has the derivative."""

    def merged(x):
        once, twice = layers.Rescaling(1)(x), layers.Rescaling(2)(x)
        return merge([twice, once, once])

    expected = [2, 2, 1] if isinstance(merge, layers.Minimum) else [1, 2, 2]
    found = derivatives(merged, [[-1, 0, 1]], lower=lower)
    np.testing.assert_allclose(found[0], expected)


@pytest.mark.parametrize("add", [ops.add, lambda *x: layers.Add()(x)])
def test_each_row_is_added_its_own_value(add):
    """Keras on TensorFlow adds the column to rows if there are as many as channels."""
    inputs = keras.Input((2,))
    square = ops.sum(ops.square(inputs), axis=-1, keepdims=True)
    model = keras.Model(inputs, add(inputs, square))
    x = np.float32([[1, 2], [3, 4]])
    logits, maps = ke.gradients(model, x, [0, 1], **SIGNED)
    np.testing.assert_allclose(logits[:, 0], [6, 29], rtol=1e-6)
    np.testing.assert_allclose(maps[..., 0], [[3, 4], [6, 9]], rtol=1e-6)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_functions_at_their_kinks(name, lower):
    function, points, expected = ELEMENTWISE[name]
    found = derivatives(function, [points], lower=lower)
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", OF_VECTORS)
def test_functions_of_vectors(name):
    function, vector, expected = OF_VECTORS[name]
    found = derivatives(function, [vector])
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-6)


def test_updated_slices_have_derivatives():
    inputs = keras.Input(batch_shape=(1, 4))
    updated = ops.slice_update(2 * inputs, (0, 1), 3 * inputs[:, :2])
    model = keras.Model(inputs, ops.sum(updated, axis=1, keepdims=True))
    x = np.arange(4, dtype="float32")[None]
    logits, maps = ke.gradients(model, x, **SIGNED)
    np.testing.assert_allclose(logits, numpy(model(x)))
    np.testing.assert_allclose(maps[..., 0], [[5, 3, 0, 2]])


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_first_of_equal_maxima_has_the_derivative(rank, padding):
    pooling = getattr(layers, f"MaxPooling{rank}D")(2, padding=padding)
    x = np.ones((1, *(4,) * rank, 1))
    expected = np.zeros(x.shape[:-1])
    expected[(0, *(slice(None, None, 2),) * rank)] = 1
    body = keras.Sequential([keras.Input(x.shape[1:]), pooling])
    np.testing.assert_array_equal(derivatives(body, x), expected)


@pytest.mark.parametrize("strides", [1, 2, (1, 2, 3)])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_volumes_are_pooled_as_before(strides, padding, rng):
    pooling = layers.MaxPooling3D((2, 3, 2), strides=strides, padding=padding)
    x = rng.integers(0, 3, (2, 5, 6, 7, 2)).astype("float32")
    derivatives(pooling, x)  # Compares the values.


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
@pytest.mark.parametrize("fill", ["constant", "nearest", "reflect", "wrap"])
def test_affine_transforms_have_their_adjoint(fill, interpolation, rng):
    turn = np.float32([0.9, -0.4, 1.3, 0.3, 1.1, -0.7, 0, 0])

    def warped(x):
        warp = ops.image.affine_transform
        return warp(x, turn, interpolation, fill) * weights

    weights = rng.normal(size=(6, 7, 2)).astype("float32")
    x, direction = rng.normal(size=(2, 1, 6, 7, 2)).astype("float32")
    inputs = keras.Input((6, 7, 2))
    model = keras.Model(inputs, ops.sum(warped(inputs), axis=(1, 2, 3))[:, None])
    maps = ke.methods.gradient.input_x_gradient  # It keeps channels apart from signs.
    _, found = ke.explain(maps, model, direction, verbose=0)
    difference = numpy(model(x + direction)) - numpy(model(x))  # It is linear.
    np.testing.assert_allclose(found.sum(), difference.sum(), rtol=1e-4, atol=1e-4)


def sum_model(function, shape, rng):
    """Return a model of a weighted sum of a function's values."""
    weights = rng.normal(size=shape).astype("float32")
    inputs = keras.Input(shape)
    total = ops.sum(function(inputs) * weights, axis=(1, 2, 3))
    return keras.Model(inputs, total[:, None])


def test_perspectives_have_their_adjoint(rng):
    corners = np.float32([[0, 0], [6, 0], [0, 5], [6, 5]])
    moved = corners + rng.normal(size=(4, 2)).astype("float32")

    def warped(x):
        return ops.image.perspective_transform(x, corners, moved)

    model = sum_model(warped, (6, 7, 2), rng)
    x, direction = rng.normal(size=(2, 1, 6, 7, 2)).astype("float32")
    maps = ke.methods.gradient.input_x_gradient
    logits, found = ke.explain(maps, model, direction, verbose=0)
    np.testing.assert_allclose(logits, numpy(model(direction)), rtol=1e-4, atol=1e-4)
    difference = numpy(model(x + direction)) - numpy(model(x))  # It is linear.
    np.testing.assert_allclose(found.sum(), difference.sum(), rtol=1e-3, atol=1e-3)


def test_colours_have_derivatives(rng):
    model = sum_model(ops.image.hsv_to_rgb, (3, 4, 3), rng)
    x = rng.uniform(0.1, 0.9, size=(2, 3, 4, 3)).astype("float32")
    logits, maps = ke.gradients(model, x, **SIGNED)
    np.testing.assert_allclose(logits, numpy(model(x)), rtol=1e-4, atol=1e-5)
    assert maps.all()
    assert ke.check_gradients(model, x).ok


def test_a_spatial_transformer_has_derivatives_by_its_transform(rng):
    inputs = keras.Input((6, 7, 1))
    mean = ops.mean(inputs, axis=(1, 2))
    shift = ops.concatenate([ops.ones_like(mean), *[ops.zeros_like(mean)] * 7], axis=-1)
    shift = shift + mean * np.float32([0, 0, 3, 0, 1, 0, 0, 0])
    outputs = ops.image.affine_transform(inputs, shift)[:, 2:4, 2:4]
    model = keras.Model(inputs, ops.sum(outputs, axis=(1, 2)))
    x = rng.normal(size=(1, 6, 7, 1)).astype("float32")
    _, maps = ke.gradients(model, x, **SIGNED)
    direction, step = rng.normal(size=x.shape).astype("float32"), 1e-3
    ends = [numpy(model(x + sign * step * direction)) for sign in (1, -1)]
    expected = (ends[0] - ends[1]).item() / (2 * step)
    found = (maps[..., 0] * direction[..., 0]).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-2)


@pytest.mark.parametrize("lower", [True, False])
def test_the_framework_s_own_derivatives_can_be_asked_for(lower):
    own = 2 if keras.backend.backend() == "tensorflow" else 1
    found = derivatives(ops.celu, [[0]], derivatives="framework", lower=lower)
    assert found.item() == own
    assert derivatives(ops.celu, [[0]], lower=lower).item() == 1
    with pytest.raises(ValueError, match="`derivatives` must be one of"):
        derivatives(ops.celu, [[0]], derivatives="own")


def test_they_are_corrected_wherever_a_graph_calls_them():
    """In a layer's own activation, in a nested model, and after both."""
    inputs = keras.Input((2, 2, 1))
    x = layers.Conv2D(1, 1, activation="celu", kernel_initializer="ones")(inputs)
    nested = keras.Sequential([keras.Input((2, 2, 1)), layers.Activation("celu")])
    outputs = layers.Flatten()(ops.celu(nested(x)))
    model = keras.Model(inputs, ops.sum(outputs, axis=1)[:, None])
    x = np.zeros((1, 2, 2, 1), "float32")
    for lower in (True, False):
        _, maps = ke.gradients(model, x, **SIGNED, lower=lower)
        np.testing.assert_allclose(maps, 1)


def test_networks_that_need_no_correction_keep_their_graph():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu")(inputs)
    x = layers.Dense(2, activation="gelu")(layers.GlobalAveragePooling2D()(x))
    graph = trace(keras.Model(inputs, x))
    assert with_corrected_derivatives(graph) is graph


def test_a_corrected_graph_is_not_corrected_again():
    inputs = keras.Input((3,))
    x = layers.Dense(3, activation="celu")(ops.sqrt(inputs))
    graph = trace(keras.Model(inputs, x))
    corrected = with_corrected_derivatives(graph)
    assert corrected is not graph
    assert with_corrected_derivatives(corrected) is corrected
    framework = with_framework_derivatives(graph)
    assert with_corrected_derivatives(framework) is framework


def test_masks_pass_a_corrected_layer(rng):
    inputs = keras.Input((5, 3))
    x = layers.LeakyReLU()(layers.Masking()(inputs))
    model = keras.Model(inputs, layers.LSTM(2)(x))
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    x[:, 3:] = 0
    logits, maps = ke.gradients(model, x, verbose=0)
    np.testing.assert_allclose(logits, numpy(model(x)), rtol=1e-5, atol=1e-6)
    assert not maps[:, 3:].any()


@pytest.mark.parametrize("choice", ["corrected", "framework"])
def test_a_function_for_y_is_given_the_model_s_own_structure(choice, rng):
    inputs = keras.Input((3,))
    outputs = ops.sqrt(ops.abs(layers.Dense(2, activation="selu")(inputs)))
    model = keras.Model(inputs, {"only": outputs})
    x = rng.normal(size=(2, 3)).astype("float32")
    options = {"derivatives": choice, "verbose": 0}
    found, _ = ke.gradients(model, x, lambda o: o["only"][:, 1], **options)
    np.testing.assert_allclose(found[:, 0], numpy(model(x)["only"])[:, 1], rtol=1e-5)
