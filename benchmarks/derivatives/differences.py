"""One-sided and central differences of a function of one number, with errors."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

#: Steps for functions in float64; and, where these disagree, larger ones, too, for
#: functions that compute in float32 within.
STEPS, MORE_STEPS = (1e-4, 1e-5, 1e-6), (1e-1, 3e-2, 1e-2, 1e-3)

#: Number of successive differences that must agree. Two may do so by chance.
SUCCESSIVE = 3

#: Two differences agree within this part of their size.
AGREED = 1e-3

#: A slope is infinite if a smaller step always makes it larger, by this factor.
GROWTH = 1.2


class Difference(NamedTuple):
    """A difference quotient, its error, and whether it grows without a limit."""

    value: float
    error: float
    diverges: bool = False


class Slopes(NamedTuple):
    """The slopes to the left and to the right of a point, and across it."""

    left: Difference
    right: Difference
    central: Difference

    def has_end(self) -> bool:
        """Return whether the function is not defined on one side."""
        return not np.isfinite([self.left.value, self.right.value]).all()

    def has_infinite(self) -> bool:
        """Return whether a slope is infinite, as at a jump."""
        return self.left.diverges or self.right.diverges

    def has_kink(self) -> bool:
        """Return whether the slopes to the left and right differ."""
        return differs(self.left.value, self.right) or differs(
            self.right.value, self.left
        )


def slopes(function: Callable[[float], float], rounding: float = 0.0) -> Slopes:
    """Return the slopes of a function of a number at 0.

    Args:
        function: The function.
        rounding: Errors of its values.
    """
    values = dict[float, float]()
    found = _slopes(function, STEPS, values, rounding)
    sure = [d.error <= AGREED * max(abs(d.value), 1) for d in found]
    if all(sure):
        return found
    return _slopes(function, MORE_STEPS + STEPS, values, rounding)


def differs(value: float, other: Difference) -> bool:
    """Return whether a value is not the difference, beyond its error."""
    size = max(abs(value), abs(other.value))
    return abs(value - other.value) > 10 * other.error + AGREED * size + 1e-4


def _slopes(
    function: Callable[[float], float],
    steps: Sequence[float],
    values: dict[float, float],
    rounding: float,
) -> Slopes:
    for step in (0.0, *steps, *(-h for h in steps)):
        if step not in values:
            values[step] = function(step)
    here = values[0.0]
    left = [(here - values[-h]) / h for h in steps]
    right = [(values[h] - here) / h for h in steps]
    central = [(values[h] - values[-h]) / (2 * h) for h in steps]
    errors = rounding / np.array(steps)
    return Slopes(*(_best(quotients, errors) for quotients in (left, right, central)))


def _best(quotients: Sequence[float], rounding: np.ndarray) -> Difference:
    """Return the last of those successive quotients that are closest to each other."""
    windows = np.lib.stride_tricks.sliding_window_view(quotients, SUCCESSIVE)
    with np.errstate(invalid="ignore"):  # Infinite ones have no difference.
        errors = np.ptp(windows, axis=1)
    errors += rounding[SUCCESSIVE - 1 :]
    if not np.isfinite(errors).any():
        return Difference(quotients[-1], float("inf"))
    best = int(np.nanargmin(errors))
    sizes = np.abs(quotients)
    grows = len(sizes) > SUCCESSIVE and (sizes[1:] > GROWTH * sizes[:-1]).all()
    diverges = bool(grows and sizes[-1] > 1)
    return Difference(quotients[best + SUCCESSIVE - 1], float(errors[best]), diverges)
