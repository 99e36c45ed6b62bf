"""Which place of a window wins, beside a search place by place."""

import math
from operator import le

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import layers, ops

from keras_explainable.backend.padding import padding_amounts
from keras_explainable.methods.slopes.max_pooling import pooling
from keras_explainable.network.graph import Step


def bend_of(layer, shape, limit=None, *, alone=True):
    inputs = keras.Input(shape)
    return pooling(Step(layer, (inputs,), {}, layer(inputs)), limit, alone=alone)


def summed(nonlinearity, weights, x):
    x = ops.convert_to_tensor(x)
    best = nonlinearity.step.operation(x)
    if nonlinearity.runs:
        written, sums = nonlinearity.run(weights, x)
        np.testing.assert_array_equal(*map(ops.convert_to_numpy, (written, best)))
    else:
        sums = nonlinearity.statistic_sums(weights, *nonlinearity.prepared(x, best))
    return [*map(ops.convert_to_numpy, sums)]


def numbered(won):
    """Return which place has won (R, h, ..., C); how many there are if none has."""
    assert np.sum(won, axis=0).max() <= 1
    return np.where(np.any(won, axis=0), np.argmax(won, axis=0), len(won))


def winners(layer, x):
    each = np.ones((1, len(x)), "float32")
    return numbered(summed(bend_of(layer, x.shape[1:]), each, x))


def searched(layer, x):
    """Return the first place of each window with its largest value."""
    size, steps = layer.pool_size, layer.strides
    around = padding_amounts(layer.padding, x.shape[1:-1], size, steps, [1] * len(size))
    x = np.pad(x, [(0, 0), *around, (0, 0)], constant_values=-math.inf)
    axes = tuple(range(1, 1 + len(size)))
    seen = np.lib.stride_tricks.sliding_window_view(x, size, axes)
    seen = seen[(slice(None), *(slice(None, None, step) for step in steps))]
    return seen.reshape(*seen.shape[: len(size) + 2], -1).argmax(axis=-1)


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    steps=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    padding=st.sampled_from(["valid", "same"]),
    values=st.integers(2, 100),
)
def test_the_first_of_the_largest_values_wins(sizes, window, steps, padding, values):
    assume(padding == "same" or all(map(le, window, sizes)))
    layer = layers.MaxPooling2D(window, steps, padding)
    x = np.random.default_rng(values).integers(-values, values, (2, *sizes, 3))
    found = winners(layer, x.astype("float32"))
    np.testing.assert_array_equal(found, searched(layer, x.astype("float32")))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(
    ("kind", "shape"), [(layers.MaxPooling1D, (9, 2)), (layers.MaxPooling3D, (5,) * 4)]
)
def test_of_one_axis_and_of_three(rng, kind, shape, padding):
    layer, x = kind(3, 2, padding), rng.normal(size=(2, *shape)).astype("float32")
    np.testing.assert_array_equal(winners(layer, x), searched(layer, x))


def test_windows_with_more_places_than_a_byte_counts(rng):
    layer, x = layers.MaxPooling2D(17, 1), rng.normal(size=(2, 19, 18, 2))
    x = (x + np.arange(19)[:, None, None] / 2).astype("float32")
    assert searched(layer, x).max() > 255
    np.testing.assert_array_equal(winners(layer, x), searched(layer, x))


@pytest.mark.parametrize("limit", [math.inf, 1.0])
def test_where_a_relu_is_closed_nothing_wins(rng, limit):
    layer, x = layers.MaxPooling2D(2), rng.normal(size=(3, 6, 6, 2)).astype("float32")
    x = np.clip(x, 0, limit)
    x[0, 0] *= 1.001  # As it may be rounded.
    each = np.ones((1, 3), "float32")
    won = summed(bend_of(layer, x.shape[1:], limit), each, x)
    best = ops.convert_to_numpy(layer(x))
    closed = (best == 0) | (best >= limit)
    assert closed.any()
    np.testing.assert_array_equal(
        numbered(won), np.where(closed, 4, searched(layer, x))
    )
    np.testing.assert_array_equal(sum(won), ~closed)
    both = summed(bend_of(layer, x.shape[1:], limit, alone=False), each, x)
    np.testing.assert_array_equal(both[0], (x > 0) & (x < limit))
    np.testing.assert_array_equal(both[1:], won)


@pytest.mark.parametrize(("rows", "window"), [(3, 2), (300, 2), (5, 5)])
def test_wins_are_summed_with_weights(rng, rows, window):
    layer = layers.MaxPooling2D(window, 2, "same")
    x = rng.normal(size=(2 * rows, 6, 5, 2)).astype("float32")
    weights = rng.choice(np.float32([0, 0.5, 2]), size=(rows, 2))
    found = summed(bend_of(layer, x.shape[1:]), weights, x)
    places = np.arange(window**2)[:, None, None, None, None]
    won = (searched(layer, x) == places).reshape(window**2, rows, 2, 3, 3, 2)
    expected = np.einsum("prg...,rg->pg...", won, weights)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
