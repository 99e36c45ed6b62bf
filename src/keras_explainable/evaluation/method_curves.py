"""The curves of methods, of which scores such as deletion are areas."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_explainable.evaluation.image_statistics import error_of_mean, mean_of_finite
from keras_explainable.metrics.map_arrays import Floats


@dataclass(frozen=True, eq=False)
class MethodCurves:
    """Scores of the model for N images, of which more and more pixels change.

    Attributes:
        fractions: Fractions of the pixels that are removed or inserted, (S + 1,).
        scores: Scores for the maps of each method, (M, N, S + 1), means over units and
            random draws. NaN where there are none.
    """

    fractions: Floats
    scores: Floats

    @property
    def mean(self) -> Floats:
        """The mean curve of each method, (M, S + 1)."""
        return mean_of_finite(self.scores, axis=1)

    @property
    def std_error(self) -> Floats:
        """The standard error of the mean over images, (M, S + 1)."""
        return error_of_mean(self.scores, axis=1)


class CurveRecord:
    """Adds up the curves of one metric, image by image."""

    def __init__(self, methods: int, images: int):
        self._sums: Floats | None = None
        self._counts = np.zeros((methods, images))
        self._fractions = np.zeros(0)

    def add(self, method: int, rows: Any, fractions: Floats, scores: Floats) -> None:
        """Add the curves (n, S + 1) of a method for the images ``rows``."""
        if self._sums is None:
            self._sums = np.zeros((*self._counts.shape, len(fractions)))
            self._fractions = fractions
        self._sums[method, rows] += scores
        self._counts[method, rows] += 1

    def curves(self, rows: Any) -> MethodCurves | None:
        """Return the mean over what was added, for the images ``rows``."""
        if self._sums is None:
            return None
        sums, counts = self._sums[:, rows], self._counts[:, rows, None]
        unknown = np.full(sums.shape, np.nan)
        scores = np.divide(sums, counts, out=unknown, where=counts > 0)
        return MethodCurves(self._fractions, scores)
