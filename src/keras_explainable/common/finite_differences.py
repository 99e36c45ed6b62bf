"""Derivatives of numbers by finite differences, with error bars."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

#: Largest step, and how often it is halved. Steps are relative to the inputs' size.
LARGEST_STEP, HALVINGS = 2.0**-4, 13

#: Number of successive steps that are compared.
SUCCESSIVE = 3

#: Rounding of a function's value, relative to it, in units of the precision.
ROUNDING = 8


class Differences(NamedTuple):
    """Central differences with ever smaller steps.

    Attributes:
        steps: The steps, the largest first.
        values: The differences.
        rounding: Their errors from rounding.
    """

    steps: np.ndarray
    values: np.ndarray
    rounding: np.ndarray

    def best(self) -> tuple[int, float]:
        """Return the position of the most reliable difference, and its error.

        It is the smallest of those three successive steps whose differences are closest
        to each other. Large steps suffer from curvature and kinks, small ones from
        rounding.
        """
        windows = np.lib.stride_tricks.sliding_window_view(self.values, SUCCESSIVE)
        errors = np.ptp(windows, axis=1) + self.rounding[SUCCESSIVE - 1 :]
        best = int(np.argmin(np.where(np.isfinite(errors), errors, np.inf)))
        return best + SUCCESSIVE - 1, float(errors[best])


def central_differences(
    function: Callable[[float], float], size: float, dtype: str = "float32"
) -> Differences:
    """Return the derivative of a function at 0, by central differences.

    Args:
        function: Function of a number.
        size: Size of the values that the function adds up, which are rounded.
        dtype: Precision in which they were computed.
    """
    steps = LARGEST_STEP * 0.5 ** np.arange(HALVINGS)
    values = np.array([(function(h) - function(-h)) / (2 * h) for h in steps])
    rounding = ROUNDING * float(np.finfo(dtype).eps) * size / steps
    return Differences(steps, values, rounding)
