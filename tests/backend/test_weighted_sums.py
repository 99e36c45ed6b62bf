"""Weighted sums over rows, computed in each backend's fastest way."""

import numpy as np
import pytest
from keras import ops

from keras_explainable import backend


def _row_values(x, y):
    return x, ops.square(x), x * y, ops.sum(y, axis=-1)


def _expected_sums(rows, weights):
    """Return the weighted sum of each group, adding one row after the other."""
    groups = weights.shape[1]
    sums = [0] * groups
    for i, row in enumerate(rows):
        sums[i % groups] = sums[i % groups] + weights[i // groups, i % groups] * row
    return np.array(sums)


@pytest.mark.parametrize(
    ("rows", "groups", "shape"),
    [
        (1, 1, (3,)),
        (1, 2, (2, 3)),
        (4, 1, (3, 1, 2)),
        (3, 2, (4, 4, 2)),
        (2, 3, (5,)),
        (4, 1, (2**18, 1)),
        (4, 2, (2**17,)),  # So many that PyTorch goes row by row.
    ],
)
def test_weighted_sums_of_each_group(rng, rows, groups, shape):
    x, y = rng.normal(size=(2, rows * groups, *shape)).astype("float32")
    weights = rng.uniform(size=(rows, groups)).astype("float32")
    values = [*map(ops.convert_to_tensor, (x, y))]
    found = backend.weighted_sums(_row_values, weights, values)
    expected = [_expected_sums(z, weights) for z in (x, x**2, x * y, y.sum(axis=-1))]
    for one, other in zip(found, expected, strict=True):
        found = ops.convert_to_numpy(one)
        np.testing.assert_allclose(found, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("groups", "size"), [(1, 5), (2, 5), (1, 2**18), (2, 2**17)])
def test_power_sums(rng, groups, size):
    x = rng.normal(size=(4 * groups, size)).astype("float32")
    weights = rng.choice(np.float32([0, 0.5, 2]), size=(4, groups))
    found = backend.power_sums(weights, ops.convert_to_tensor(x))
    for one, power in zip(found, (x, x**2), strict=True):
        expected = _expected_sums(power, weights)
        np.testing.assert_allclose(ops.convert_to_numpy(one), expected, atol=1e-5)


def test_sums_have_the_precision_of_the_values(rng):
    x = rng.normal(size=(6, 3)).astype("float16")
    weights = rng.uniform(size=(3, 2)).astype("float32")
    [found] = backend.weighted_sums(lambda x: [x], weights, [ops.convert_to_tensor(x)])
    assert ops.convert_to_numpy(found).dtype == "float16"
    np.testing.assert_allclose(
        ops.convert_to_numpy(found), _expected_sums(x, weights), atol=0.01
    )


@pytest.mark.parametrize("given", [np.asarray, ops.convert_to_tensor])
def test_weighted_sums_can_be_compiled(rng, given):
    x = rng.normal(size=(6, 4, 4)).astype("float32")
    weights = np.array([[1, 1], [1, 0], [0, 1]], "float32")

    @backend.jit
    def run(weights, x):
        return backend.weighted_sums(lambda x: [x], weights, [x])

    [found] = run(given(weights), ops.convert_to_tensor(x))
    found = ops.convert_to_numpy(found)
    np.testing.assert_allclose(found, [x[0] + x[2], x[1] + x[5]], rtol=1e-5)


@pytest.mark.parametrize("rows", [3, 300])
def test_value_counts(rng, rows):
    numbers = rng.integers(0, 5, size=(rows * 2, 6)).astype("uint8")
    weights = rng.choice(np.float32([0, 0.5, 2]), size=(rows, 2))
    found = backend.value_counts(weights, ops.convert_to_tensor(numbers), 4)
    expected = [_expected_sums(numbers == number, weights) for number in range(4)]
    found = [*map(ops.convert_to_numpy, found)]
    assert {x.dtype.name for x in found} == {"float32"}
    np.testing.assert_allclose(found, expected)
