"""Faster convolutions, pooling and ReLU equal Keras', gradients included."""

import functools
import itertools
import math
from typing import NamedTuple

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers, ops
from support.out_of_memory import refused
from support.small_models import numpy

from keras_explainable import backend

CHANNELS = 8  # Enough for our own derivative in TensorFlow.
KINDS = {  # Input channels of a group, and output channels.
    "dense": (CHANNELS, 5),
    "grouped": (2, 12),
    "depthwise": (1, CHANNELS),
    "depthwise with a multiplier": (1, 3 * CHANNELS),
}


class Case(NamedTuple):
    """A convolution, with the attributes that ``convolution_is_faster`` reads."""

    kind: str
    window: tuple[int, ...]
    strides: tuple[int, ...]
    dilation_rate: tuple[int, ...]
    padding: object
    size: tuple[int, ...]

    @property
    def groups(self):
        return CHANNELS // KINDS[self.kind][0]

    @property
    def kernel(self):
        shape = (*self.window, *KINDS[self.kind])
        return np.random.default_rng(1).normal(size=shape).astype("float32")

    def fits(self):
        """Return whether the dilated window fits into the padded input."""
        amounts = [(0, 0)] * len(self.size) if self.padding == "valid" else self.padding
        return amounts == "same" or all(
            (window - 1) * step < size + sum(amount)
            for window, step, size, amount in zip(
                self.window, self.dilation_rate, self.size, amounts, strict=True
            )
        )


def every_case():
    """Yield combinations of ranks, strides, dilations, paddings and sizes."""
    windows = {1: [(1,), (4,)], 2: [(1, 1), (3, 3), (2, 5)], 3: [(2, 3, 1)]}
    sizes = {1: [(12,), (9,)], 2: [(7, 8), (12, 11)], 3: [(5, 6, 7)]}
    steps = {
        1: [((1,), (1,)), ((2,), (1,)), ((1,), (2,))],
        2: [
            ((1, 1), (1, 1)),
            ((2, 2), (1, 1)),
            ((3, 3), (1, 1)),
            ((1, 2), (1, 1)),
            ((1, 1), (2, 2)),
            ((1, 1), (1, 3)),
        ],
        3: [((1, 1, 1), (1, 1, 1)), ((1, 2, 2), (1, 1, 1)), ((1, 1, 1), (1, 2, 2))],
    }
    for rank in (2, 1, 3):
        paddings = ["valid", "same", ((1, 1),) * rank, ((0, 2), (1, 0), (3, 1))[:rank]]
        parts = windows[rank], steps[rank], paddings, sizes[rank]
        for kind, *rest in itertools.product(KINDS, *parts):
            window, (strides, dilation), padding, size = rest
            case = Case(kind, window, strides, dilation, padding, size)
            if case.fits():
                yield case


CASES = [case for case in every_case() if backend.convolution_is_faster(case)]


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def forward_and_gradient(function, x):
    """Return compiled outputs, and the gradient for an uneven cotangent."""

    def both(x):
        outputs, pullback, _ = backend.vjp(lambda x: (function(x), ()), x)
        size = math.prod(outputs.shape)
        weights = ops.reshape(ops.cos(ops.arange(size, dtype="float32")), outputs.shape)
        return outputs, pullback(weights)

    return [numpy(x) for x in backend.jit(both)(ops.convert_to_tensor(x))]


def assert_equal(function, expected, x, tolerance=1e-5):
    pairs = zip(
        *(forward_and_gradient(f, x) for f in (function, expected)), strict=True
    )
    for found, other in pairs:
        assert found.shape == other.shape
        np.testing.assert_allclose(found, other, rtol=tolerance, atol=1e-4)


def keras_convolution(case, x):
    padding = case.padding
    if not isinstance(padding, str):
        x, padding = ops.pad(x, [(0, 0), *padding, (0, 0)]), "valid"
    kernel = ops.convert_to_tensor(case.kernel)
    return ops.conv(
        x, kernel, case.strides, padding, "channels_last", case.dilation_rate
    )


def keras_depthwise(case, x):
    """Keras has depthwise convolutions of ranks 1 and 2 only, with equal strides."""
    kernel = ops.convert_to_tensor(case.kernel.reshape(*case.window, CHANNELS, -1))
    return ops.depthwise_conv(
        x, kernel, case.strides, case.padding, "channels_last", case.dilation_rate
    )


def fast_convolution(case, x, bias=None, limit=None):
    kernel = backend.kernel_layout(case.kernel)
    parts = case.strides, case.padding, case.dilation_rate
    return backend.convolution(x, kernel, bias, limit, *parts)


@pytest.mark.skipif(not CASES, reason="Keras' own is as fast on this device")
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_convolution_equals_keras(data):
    case = data.draw(st.sampled_from(CASES))
    assert_equal(
        functools.partial(fast_convolution, case),
        functools.partial(keras_convolution, case),
        noise(2, *case.size, CHANNELS),
    )


@pytest.mark.skipif(not CASES, reason="Keras' own is as fast on this device")
@pytest.mark.parametrize("dilation", [(1, 1), (2, 3)])
def test_convolution_of_few_channels_equals_keras(dilation):
    kernel, how = noise(3, 3, 3, 5, seed=1), ((1, 1), "same")
    layout = backend.kernel_layout(kernel)
    assert_equal(
        lambda x: backend.convolution(x, layout, None, None, *how, dilation),
        lambda x: ops.conv(x, kernel, *how, "channels_last", dilation),
        noise(2, 9, 8, 3),
    )


DEPTHWISE = [
    case
    for case in CASES
    if case.kind.startswith("depthwise")
    and len(case.size) < 3
    and isinstance(case.padding, str)
    and len(set(case.strides)) == len(set(case.dilation_rate)) == 1
]


@pytest.mark.skipif(not CASES, reason="Keras' own is as fast on this device")
@settings(max_examples=10, deadline=None)
@given(st.data())
def test_depthwise_convolution_equals_keras(data):
    case = data.draw(st.sampled_from(DEPTHWISE))
    assert_equal(
        functools.partial(fast_convolution, case),
        functools.partial(keras_depthwise, case),
        noise(2, *case.size, CHANNELS),
    )


@pytest.mark.skipif(not CASES, reason="Keras' own is as fast on this device")
@pytest.mark.parametrize("limit", [None, 6, math.inf])
@pytest.mark.parametrize("kind", ["dense", "depthwise"])
def test_bias_and_relu_follow_the_convolution(kind, limit):
    case = next((case for case in CASES if case.kind == kind), CASES[0])
    bias = 3 * noise(case.kernel.shape[-1], seed=2)

    def expected(x):
        outputs = ops.add(keras_convolution(case, x), bias)
        if limit is None:
            return outputs
        return ops.relu(outputs) - ops.relu(outputs - min(limit, 1e9))

    assert_equal(
        lambda x: fast_convolution(case, x, bias, limit),
        expected,
        noise(2, *case.size, CHANNELS),
    )


@pytest.mark.parametrize("limit", [6, math.inf])
def test_relu_ends_at_its_limit(limit):
    x = 5 * noise(50)
    found, gradient = forward_and_gradient(lambda x: backend.relu(x * 1, limit), x)
    np.testing.assert_allclose(found, np.clip(x, 0, limit), rtol=1e-6)
    inside = (x > 0) & (x < limit)
    np.testing.assert_allclose(gradient, inside * np.cos(np.arange(50)), atol=1e-6)


def test_relu_without_a_limit_does_nothing():
    x = ops.convert_to_tensor(noise(5))
    assert backend.relu(x, None) is x


@pytest.mark.parametrize("limit", [6, math.inf])
def test_relu_has_the_derivative_of_keras_at_its_kinks(limit):
    """Zeros are common, as of black pixels behind a convolution without a bias."""
    layer = layers.ReLU(None if limit == math.inf else limit)
    x = np.array([-1, 0, 0, 2, 6, 6, 7], "float32")
    assert_equal(lambda x: backend.relu(x * 1, limit), lambda x: layer(x * 1), x)


def test_affine_is_a_product_and_a_sum():
    scale, shift = noise(3, seed=1), noise(3, seed=2)
    assert_equal(
        lambda x: backend.affine(x, scale, shift),
        lambda x: ops.add(ops.multiply(x, scale), shift),
        noise(2, 4, 5, 3),
    )


POOLS = itertools.product([(2, 2), (3, 3), (3, 2)], [(1, 1), (2, 2), (3, 2)])


@pytest.mark.skipif(backend.max_pool is None, reason="Keras' own is as fast")
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("window", "strides"), POOLS)
def test_max_pooling_equals_keras(window, strides, padding):
    """Among equal maxima, such as zeros behind a ReLU, the same one is chosen."""
    assert backend.max_pool_is_faster(layers.MaxPooling2D(window, strides))
    x = noise(2, 7, 8, 3)
    for inputs in (x, np.maximum(x - 1, 0), -1 - np.maximum(x, 0)):
        assert_equal(
            lambda x: backend.max_pool(x, window, strides, padding),
            lambda x: ops.max_pool(x, window, strides, padding, "channels_last"),
            inputs,
        )


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_host_buffer_holds_the_values(dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has float64 on request only")
    values = noise(3, 4).astype(dtype)
    variable = keras.Variable(values, dtype=dtype)
    np.testing.assert_array_equal(np.asarray(backend.host_buffer(variable)), values)
    variable.assign(2 * values)
    np.testing.assert_array_equal(np.asarray(backend.host_buffer(variable)), 2 * values)


@pytest.mark.skipif(not backend.COPIES_ON_WRITE, reason="changed in place")
def test_a_host_buffer_that_is_held_does_not_change():
    values = noise(3, 4)
    variable = keras.Variable(values)
    held = np.asarray(backend.host_buffer(variable))
    variable.assign_add(ops.ones((3, 4)))
    variable.assign(7 * values)
    np.testing.assert_array_equal(held, values)


@pytest.mark.parametrize("error", refused(), ids=lambda error: type(error).__name__)
def test_out_of_memory_errors_are_recognized(error):
    assert backend.is_out_of_memory(error)


@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="TensorFlow waits ten seconds first"
)
def test_a_real_lack_of_memory_is_recognized():
    with pytest.raises(Exception, match=r"(?i)memory|OOM") as raised:
        backend.block_until_ready(ops.ones((2**50,), "float32"))
    assert backend.is_out_of_memory(raised.value)


@pytest.mark.parametrize(
    "error", [ValueError("RESOURCE_EXHAUSTED"), RuntimeError("shape"), KeyError("out")]
)
def test_other_errors_are_not_out_of_memory(error):
    assert not backend.is_out_of_memory(error)


def test_free_memory_is_plausible():
    free = backend.free_memory()
    assert free is None or 0 < free < 2**50
