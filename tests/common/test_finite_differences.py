"""Finite differences have the true derivative within their error."""

import math

import numpy as np
import pytest

from keras_explainable.common.finite_differences import (
    central_differences,
    noise_of,
)


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


def test_noise_is_measured_without_what_is_smooth():
    rng = np.random.default_rng(0)
    at = np.linspace(0, 0.01, 500)
    found = noise_of(np.exp(at) + rng.normal(scale=1e-6, size=500))
    assert found == pytest.approx(1e-6, rel=0.1)


def test_rounding_within_a_function_is_in_the_error_bar():
    """Its value has 24 bits, but was the difference of numbers of which few remain."""

    def function(t):
        return float(np.float32(256 + math.sin(t)) - 256)

    found = central_differences(function, 1.0)
    best, error = found.best()
    assert abs(found.values[best] - 1) <= 3 * error
    off = abs(found.values - 1)
    assert (off <= 3 * (found.rounding + error) + found.steps).all()
