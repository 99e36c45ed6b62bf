"""Finite differences have the true derivative within their error."""

import math

import numpy as np
import pytest

from keras_explainable.common.finite_differences import central_differences


@pytest.mark.parametrize(
    ("function", "derivative"),
    [(math.sin, 1.0), (math.exp, 1.0), (lambda t: (t + 2) ** 3, 12.0)],
)
def test_smooth_functions(function, derivative):
    rounded = central_differences(lambda t: float(np.float32(function(t))), 8.0)
    best, error = rounded.best()
    assert abs(rounded.values[best] - derivative) <= error
    assert error < 0.02


def test_a_kink_nearby_is_left_out():
    """Steps beyond the kink, at 0.02, have another slope."""
    found = central_differences(lambda t: t + 5 * max(t - 0.02, 0), 1.0)
    best, error = found.best()
    assert abs(found.values[best] - 1) <= error
    assert found.steps[best] < 0.02


def test_values_that_are_not_finite_are_left_out():
    found = central_differences(lambda t: 2 * t if abs(t) < 0.01 else math.inf, 1.0)
    best, _ = found.best()
    assert found.values[best] == pytest.approx(2)


def test_rounding_is_the_larger_the_smaller_the_step():
    found = central_differences(math.sin, 1.0)
    assert (np.diff(found.steps) < 0).all()
    assert (np.diff(found.rounding) > 0).all()
