"""Derivatives of numbers by finite differences, with error bars."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

#: Largest step, the number of steps, and the ratio of one to the next by precision.
#: Steps are relative to the inputs' size. The smaller, the fewer kinks are passed.
LARGEST_STEP, STEPS, RATIOS = 2.0**-4, 13, {"float32": 2, "float64": 4}

#: Number of successive steps that are compared.
SUCCESSIVE = 3

#: Rounding of a function's value, relative to it, in units of the precision.
ROUNDING = 8

#: Number of values by which noise is measured, and how much of it differences have.
MEASURED, NOISE = 9, 2


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

    Within a function, more may be rounded than its value. This noise is measured, too.
    """
    steps = LARGEST_STEP / RATIOS[dtype] ** np.arange(STEPS)
    values = np.array([(function(h) - function(-h)) / (2 * h) for h in steps])
    # There may be a kink at 0, which is no noise.
    near = [function(h) for h in steps[-1] * np.arange(1, MEASURED + 1)]
    rounding = ROUNDING * float(np.finfo(dtype).eps) * size + NOISE * noise_of(near)
    return Differences(steps, values, rounding / steps)


def noise_of(values: Sequence[float]) -> float:
    """Return the standard deviation of noise in a function's values at equal steps.

    Third differences leave little of a smooth function, and of independent noise 20
    times its variance.

    Reference: Moré and Wild, Estimating computational noise, 2011,
    https://doi.org/10.1137/100786125
    """
    return float(np.sqrt(np.mean(np.diff(values, 3) ** 2) / 20))
