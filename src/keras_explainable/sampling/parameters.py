"""Parameters of sampling: the number of draws and the statistic to estimate."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from keras_explainable.common import checks
from keras_explainable.sampling import noise
from keras_explainable.sampling.standard_error import STATISTICS


@dataclass(frozen=True)
class Sampling:
    """Checked parameters that all sampling methods share.

    Attributes:
        repetitions: Maximum number of copies of each input.
        seed: Integer >= 0; None draws a fresh one for each call.
        start: Number of the first repetition.
        statistic: One of ``standard_error.STATISTICS``.
        tolerance: Relative error at which an input has converged; None for never.
        copies: Repetitions per draw: two if they come in antithetic pairs.
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
        """The maximum number of draws of an input."""
        return self.repetitions // self.copies

    def with_seed(self) -> "Sampling":
        """Return the parameters with a seed, a fresh one if they have none."""
        return replace(self, seed=noise.random_seed()) if self.seed is None else self

    def keys(self, ids: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Return a random key (R, 2) for each id and draw, counted from 0."""
        seed: Any = self.seed
        return noise.random_keys(seed, ids, self.start // self.copies + draws)

    def _check_pairs(self) -> None:
        if self.repetitions % 2 or self.start % 2:
            raise ValueError(
                "`repetitions` and `start` must be even with `antithetic`; received "
                f"{self.repetitions} and {self.start}."
            )
        if self.statistic == "variance":
            raise ValueError(
                "`antithetic` must be False with statistic='variance', which is over "
                "single copies; received True."
            )
