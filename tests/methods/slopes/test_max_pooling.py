"""The argmax of each window, against a search position by position."""

import math
from operator import le

import keras
import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from keras import layers, ops

from keras_explainable.backend.padding import padding_amounts
from keras_explainable.methods.slopes.max_pooling import pooling_nonlinearity
from keras_explainable.network.graph import Step


def nonlinearity_of(layer, shape, relu_max=None, *, merged=True):
    inputs = keras.Input(shape)
    step = Step(layer, (inputs,), {}, layer(inputs))
    return pooling_nonlinearity(step, relu_max, merged=merged)


def summed(nonlinearity, weights, x):
    x = ops.convert_to_tensor(x)
    largest = nonlinearity.step.operation(x)
    if nonlinearity.runs_step:
        written, sums = nonlinearity.run(weights, x)
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (written, largest)))
    else:
        sums = nonlinearity.statistic_sums(weights, *nonlinearity.prepared(x, largest))
    return [*map(ops.convert_to_numpy, sums)]


def argmax_of(counts):
    """Return the argmax (R, h, ..., C); the number of positions if there is none."""
    assert np.sum(counts, axis=0).max() <= 1
    return np.where(np.any(counts, axis=0), np.argmax(counts, axis=0), len(counts))


def argmax(layer, x):
    each = np.ones((1, len(x)), "float32")
    return argmax_of(summed(nonlinearity_of(layer, x.shape[1:]), each, x))


def searched(layer, x):
    """Return the first position of each window's largest value."""
    size, steps = layer.pool_size, layer.strides
    around = padding_amounts(layer.padding, x.shape[1:-1], size, steps, [1] * len(size))
    x = np.pad(x, [(0, 0), *around, (0, 0)], constant_values=-math.inf)
    axes = tuple(range(1, 1 + len(size)))
    seen = np.lib.stride_tricks.sliding_window_view(x, size, axes)
    seen = seen[(slice(None), *(slice(None, None, step) for step in steps))]
    return seen.reshape(*seen.shape[: len(size) + 2], -1).argmax(axis=-1)


#: JAX compiles each shape anew, operation by operation.
RANDOM_WINDOWS = 12 if keras.backend.backend() == "jax" else 40


@settings(max_examples=RANDOM_WINDOWS, deadline=None)
@example(sizes=(9, 8), window=(3, 2), steps=(2, 3), padding="valid", values=100)
@example(sizes=(9, 8), window=(3, 4), steps=(1, 2), padding="same", values=2)  # Ties.
@example(sizes=(2, 3), window=(4, 4), steps=(3, 1), padding="same", values=2)  # Wider.
@example(sizes=(7, 7), window=(1, 2), steps=(3, 3), padding="same", values=9)  # Gaps.
@given(
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    steps=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.sampled_from(["valid", "same"]),
    values=st.integers(2, 100),
)
def test_the_argmax_is_the_first_of_the_largest_values(
    sizes, window, steps, padding, values
):
    assume(padding == "same" or all(map(le, window, sizes)))
    layer = layers.MaxPooling2D(window, steps, padding)
    x = np.random.default_rng(values).integers(-values, values, (2, *sizes, 3))
    found = argmax(layer, x.astype("float32"))
    np.testing.assert_array_equal(found, searched(layer, x.astype("float32")))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("kind", "shape"), [(layers.MaxPooling1D, (9, 2)), (layers.MaxPooling3D, (5,) * 4)]
)
def test_windows_along_one_axis_and_three(rng, kind, shape, padding):
    layer, x = kind(3, 2, padding), rng.normal(size=(2, *shape)).astype("float32")
    np.testing.assert_array_equal(argmax(layer, x), searched(layer, x))


def test_windows_with_more_positions_than_a_byte_counts(rng):
    layer, x = layers.MaxPooling2D(17, 1), rng.normal(size=(2, 19, 18, 2))
    x = (x + np.arange(19)[:, None, None] / 2).astype("float32")
    assert searched(layer, x).max() > 255
    np.testing.assert_array_equal(argmax(layer, x), searched(layer, x))


@pytest.mark.parametrize("relu_max", [math.inf, 1.0])
def test_a_closed_relu_is_never_the_argmax(rng, relu_max):
    layer, x = layers.MaxPooling2D(2), rng.normal(size=(3, 6, 6, 2)).astype("float32")
    x = np.clip(x, 0, relu_max)
    x[0, 0] *= 1.001  # Values may be rounded up.
    each = np.ones((1, 3), "float32")
    counts = summed(nonlinearity_of(layer, x.shape[1:], relu_max), each, x)
    largest = ops.convert_to_numpy(layer(x))
    closed = (largest == 0) | (largest >= relu_max)
    assert closed.any()
    np.testing.assert_array_equal(
        argmax_of(counts), np.where(closed, 4, searched(layer, x))
    )
    np.testing.assert_array_equal(sum(counts), ~closed)
    shared = nonlinearity_of(layer, x.shape[1:], relu_max, merged=False)
    both = summed(shared, each, x)
    np.testing.assert_array_equal(both[0], (x > 0) & (x < relu_max))
    np.testing.assert_array_equal(both[1:], counts)


@pytest.mark.parametrize(("rows", "window"), [(3, 2), (300, 2), (5, 5)])
def test_argmax_counts_are_weighted_sums(rng, rows, window):
    layer = layers.MaxPooling2D(window, 2, "same")
    x = rng.normal(size=(2 * rows, 6, 5, 2)).astype("float32")
    weights = rng.choice(np.float32([0, 0.5, 2]), size=(rows, 2))
    found = summed(nonlinearity_of(layer, x.shape[1:]), weights, x)
    positions = np.arange(window**2)[:, None, None, None, None]
    is_argmax = (searched(layer, x) == positions).reshape(window**2, rows, 2, 3, 3, 2)
    expected = np.einsum("prg...,rg->pg...", is_argmax, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
