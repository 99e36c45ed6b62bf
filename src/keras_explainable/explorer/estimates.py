"""Maps as far as they are known, with their errors."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from keras_explainable.explorer.settings import View
from keras_explainable.sampling.stats import Stats

Floats = NDArray[np.floating[Any]]

#: The most groups of samples from which the errors of numbers are estimated, and the
#: fewest.
GROUPS, FEWEST_GROUPS = 8, 4

#: A number that is computed from a map (H, W).
Number = Callable[[Floats], float]


class Estimate(Protocol):
    """A map of an image for a unit, after some repetitions."""

    @property
    def repetitions(self) -> int:
        """The number of repetitions; 0 for methods without."""

    @property
    def nbytes(self) -> int:
        """The memory that it takes."""

    def map(self, view: View) -> Floats:
        """Return the map (H, W)."""

    def relative_error(self, view: View) -> float | None:
        """Return the norm of the error over that of the map; None if not known."""

    def standard_error(self, view: View, number: Number) -> float | None:
        """Return the standard error of a number of the map; None if not known."""


@dataclass(frozen=True)
class PlainMap:
    """A map that was computed at once.

    Attributes:
        values: The map (H, W), or with channels (H, W, C).
        repetitions: Number of repetitions; 0 for methods without.
        error: Relative error; None if it is not known.
    """

    values: Floats
    repetitions: int = 0
    error: float | None = None

    @property
    def nbytes(self) -> int:
        """The memory that the map takes."""
        return self.values.nbytes

    def map(self, view: View) -> Floats:
        """Return the map (H, W)."""
        return self.values if self.values.ndim == 2 else _reduced(self.values, view)

    def relative_error(self, view: View) -> float | None:
        """Return the error that is known, whatever the view."""
        return self.error

    def standard_error(self, view: View, number: Number) -> float | None:
        """Return None: only samples tell the error of a single number."""
        return None


@dataclass(frozen=True)
class SampledMap:
    """The running sums of a map, from which more samples go on.

    Attributes:
        stats: Four moments of all samples, which each statistic and its error need.
        groups: Two moments of disjoint groups of them, which each statistic needs.
    """

    stats: Stats
    groups: tuple[Stats, ...]

    @classmethod
    def of(cls, stats: Stats) -> "SampledMap":
        """Return the map of the first samples; their statistic is the variance."""
        return cls(stats, (_two_moments(stats),))

    def continued(self, stats: Stats) -> "SampledMap":
        """Return the map with further samples."""
        groups, new = [*self.groups], _two_moments(stats)
        if len(groups) == GROUPS:
            groups.sort(key=lambda group: int(group.counts[0]))
            new = groups.pop(0).merged(new)
        return SampledMap(self.stats.merged(stats), (*groups, new))

    @property
    def repetitions(self) -> int:
        """The number of samples."""
        return int(self.stats.repetitions[0])

    @property
    def nbytes(self) -> int:
        """The memory that all sums take."""
        every = (self.stats, *self.groups)
        return sum(array.nbytes for stats in every for array in stats.state)

    def map(self, view: View) -> Floats:
        """Return the map (H, W)."""
        return _map_of(self.stats, view)

    def relative_error(self, view: View) -> float | None:
        """Return the norm of the standard error over the norm of the map."""
        error = of_statistic(self.stats, view.statistic).relative_error[0, 0]
        return float(error) if np.isfinite(error) else None

    def standard_error(self, view: View, number: Number) -> float | None:
        """Return the standard error by the jackknife, which leaves out one group each.

        It holds for any smooth function of the map, such as a share of it. Groups may
        differ in size.

        Reference: Busing, Meijer & van der Leeden, 1999,
            https://doi.org/10.1023/A:1008800423698
        """
        if len(self.groups) < FEWEST_GROUPS:
            return None
        without = np.array(
            [number(_map_of(x, view)) for x in _leaving_out(self.groups)]
        )
        sizes = np.array([int(group.counts[0]) for group in self.groups])
        return _jackknife(number(self.map(view)), without, sizes)


def of_statistic(stats: Stats, statistic: str) -> Stats:
    """Return the stats of a variance as those of another statistic of the same maps.

    The moments of x^2 follow from those of x about its mean m: its mean is
    m^2 + M2 / n, and its sum of squares M4 + 4 m M3 + 4 m^2 M2 - M2^2 / n.
    """
    facts = stats.facts | {"statistic": statistic}
    state = _of_squares(stats) if statistic == "square" else stats.state
    return replace(stats, state=state, facts=facts)


def _of_squares(stats: Stats) -> tuple[NDArray[Any], ...]:
    mean, *sums = (power.astype("float64") for power in stats.state)
    count = stats.counts.reshape(-1, *(1,) * (mean.ndim - 1))
    squares = [mean**2 + sums[0] / count]
    if len(sums) == 3:
        total = sums[2] + 4 * mean * sums[1] + 4 * mean**2 * sums[0]
        squares.append(np.maximum(total - sums[0] ** 2 / count, 0))
    return tuple(power.astype("float32") for power in squares)


def _two_moments(stats: Stats) -> Stats:
    return replace(stats, state=stats.state[:2])


def _map_of(stats: Stats, view: View) -> Floats:
    return _reduced(of_statistic(stats, view.statistic).maps[0, ..., 0], view)


def _reduced(values: Floats, view: View) -> Floats:
    """Return the mean (H, W) over the channels, of magnitudes unless it is signed."""
    return (values if view.signed else abs(values)).mean(axis=-1)


def _leaving_out(groups: tuple[Stats, ...]) -> list[Stats]:
    """Return all groups but one, together, for each one."""
    return [
        reduce(Stats.merged, groups[:left] + groups[left + 1 :])
        for left in range(len(groups))
    ]


def _jackknife(whole: float, without: Floats, sizes: NDArray[np.int_]) -> float:
    count, parts = len(sizes), sizes.sum() / sizes
    pseudo = parts * whole - (parts - 1) * without
    centre = count * whole - ((1 - 1 / parts) * without).sum()
    return float(np.sqrt(((pseudo - centre) ** 2 / (parts - 1)).mean()))
