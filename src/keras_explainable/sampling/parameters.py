"""How many draws a method takes of each input, and what it estimates from them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_explainable.common import checks
from keras_explainable.sampling import noise
from keras_explainable.sampling.standard_error import STATISTICS


@dataclass(frozen=True)
class Sampling:
    """Parameters that all sampling methods share, checked.

    Attributes:
        repetitions: how often the network sees each input at the most.
        seed: integer >= 0; None draws a fresh one for each call.
        start: number of the first repetition.
        statistic: one of ``stats.STATISTICS``.
        tolerance: relative error at which an input is finished; None for never.
        copies: repetitions of a draw: two if they come in antithetic pairs.
    """

    repetitions: int
    seed: int | None = None
    start: int = 0
    statistic: str = "mean"
    tolerance: float | None = None
    copies: int = 1

    def __post_init__(self) -> None:
        checks.integer("repetitions", self.repetitions, 1)
        checks.integer("start", self.start, 0)
        if self.seed is not None:
            checks.integer("seed", self.seed, 0, None)
        checks.one_of("statistic", self.statistic, STATISTICS)
        if self.tolerance is not None:
            checks.number("tolerance", self.tolerance, 0)
        if self.copies == 2:
            self._check_pairs()

    @property
    def draws(self) -> int:
        """The most draws of an input."""
        return self.repetitions // self.copies

    @property
    def first(self) -> int:
        """The number of the first draw."""
        return self.start // self.copies

    def with_seed(self) -> "Sampling":
        """Return the sampling with a seed, a fresh one if it has none."""
        return (
            self if self.seed is not None else replace(self, seed=noise.random_seed())
        )

    def keys(self, ids: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Return a random key (R, 2) for each id and draw, the first of which is 0."""
        seed: Any = self.seed
        return noise.random_keys(seed, ids, self.first + draws)

    def _check_pairs(self) -> None:
        if self.repetitions % 2 or self.start % 2:
            raise ValueError(
                "`repetitions` and `start` must be even with `antithetic`; received "
                f"{self.repetitions} and {self.start}."
            )
        if self.statistic == "variance":
            raise ValueError(
                "`antithetic` must be False with statistic='variance', which is of "
                "single copies; received True."
            )
