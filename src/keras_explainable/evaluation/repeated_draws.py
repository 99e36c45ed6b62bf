"""How often an evaluation repeats what is drawn at random."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_explainable.common import checks

#: Degrees of freedom without which an error is too uncertain to stop at.
_FREEDOM = 4


@dataclass(frozen=True)
class RepeatedDraws:
    """The seeds of repeated draws.

    Attributes:
        first: The first seed.
        fewest: Number of repetitions, or the fewest if there is a tolerance.
        tolerance: Largest error that draws may give to each mean, or one by metric;
            None for a fixed number of repetitions.
        most: The most repetitions.
    """

    first: int
    fewest: int
    tolerance: float | Mapping[str, float] | None
    most: int

    @property
    def seeds(self) -> range:
        """The seeds that may be needed."""
        count = self.fewest if self.tolerance is None else self.most
        return range(self.first, self.first + count)

    @property
    def facts(self) -> dict[str, Any]:
        """What decides on the draws."""
        facts = {"seed": self.first, "repetitions": self.fewest}
        if self.tolerance is None:
            return facts
        given = self.tolerance
        tolerance = dict(given) if isinstance(given, Mapping) else given
        return facts | {"tolerance": tolerance, "max_repetitions": self.most}

    def are_enough(
        self, metric: str, count: int, images: int, are_common: bool, error: float
    ) -> bool:
        """Whether no more draws are needed after ``count`` of them.

        Args:
            metric: Name of the metric.
            count: Number of repetitions.
            images: Number of images.
            are_common: Whether all of these share the draws of a repetition.
            error: Error that the draws give to the mean.
        """
        limit = self._limit(metric)
        freedom = (count - 1) * (1 if are_common else images)
        if count < self.fewest:
            return False
        if limit is None or (np.isnan(error) and count > 1):
            return True
        return freedom >= _FREEDOM and error <= limit

    def is_missed(self, metric: str, error: float) -> bool:
        """Whether an error is above the tolerance."""
        limit = self._limit(metric)
        return limit is not None and error > limit

    def _limit(self, metric: str) -> float | None:
        if isinstance(self.tolerance, Mapping):
            return self.tolerance.get(metric)
        return self.tolerance


def repeated_draws(
    seed: Any, repetitions: Any, tolerance: Any, most: Any, metrics: tuple[str, ...]
) -> RepeatedDraws:
    """Return the draws of an evaluation by metrics of these names.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If one is out of range, or a tolerance is for an unknown metric.
    """
    checks.integer("seed", seed, 0)
    checks.integer("repetitions", repetitions, 1)
    checks.integer("max_repetitions", most, 1)
    if isinstance(tolerance, Mapping):
        for name, each in tolerance.items():
            checks.one_of("tolerance", name, metrics)
            checks.number(f"tolerance[{name!r}]", each, 0)
    elif tolerance is not None:
        checks.number("tolerance", tolerance, 0)
    if tolerance is not None and most < repetitions:
        raise ValueError(
            "`max_repetitions` must be at least `repetitions`; received "
            f"{most} and {repetitions}."
        )
    return RepeatedDraws(seed, repetitions, tolerance, most)
