"""The scores of an evaluation that are known so far."""

from typing import Any

import numpy as np

from keras_explainable.evaluation.image_statistics import error_of_draws
from keras_explainable.evaluation.method_curves import CurveRecord, MethodCurves
from keras_explainable.evaluation.named_metrics import Metric
from keras_explainable.metrics.map_arrays import Booleans, Floats
from keras_explainable.metrics.pixel_removal import Curves


class ScoreRecord:
    """Scores (M, Q, R, N) and curves, which are filled in cell by cell.

    A cell is what one metric says of one method, for some of the images.

    Attributes:
        samples: Scores, NaN where there are none (yet).
        notes: What is missing, and why.
        finished: Whether all of an image's cells are written (N,).
    """

    def __init__(self, methods: int, metrics: list[Metric], draws: int, images: int):
        self.samples = np.full((methods, len(metrics), draws, images), np.nan)
        self.notes: list[str] = []
        self.finished = np.zeros(images, bool)
        self._metrics, self._draws = metrics, draws
        curves = (each for each in metrics if each.curve_order)
        self._curves = {each.name: CurveRecord(methods, images) for each in curves}

    def note(self, text: str) -> None:
        """Add a note, once."""
        if text not in self.notes:
            self.notes.append(text)

    def add(
        self, cell: tuple[int, int, slice], draw: int, scores: Floats, curves: Any
    ) -> None:
        """Write what a draw gives to a cell: scores (n,), and curves of finite ones.

        An image has no score if any draw gives none.
        """
        method, metric, rows = cell
        if draw >= self.samples.shape[2]:
            widths = [(0, 0), (0, 0), (0, 1), (0, 0)]
            self.samples = np.pad(self.samples, widths, constant_values=np.nan)
        block = self.samples[method, metric, : draw + 1, rows]
        block[draw] = scores
        block[:, np.isnan(block).any(axis=0)] = np.nan
        if curves is not None:
            self._add_curves(cell, scores, curves)

    def _add_curves(
        self, cell: tuple[int, int, slice], scores: Floats, curves: Curves
    ) -> None:
        method, metric, rows = cell
        at = np.arange(self.samples.shape[-1])[rows][np.isfinite(scores)]
        mean = curves.scores.mean(axis=-1)
        record = self._curves[self._metrics[metric].name]
        record.add(method, at, curves.fractions, mean)

    def repeat(self, cell: tuple[int, int, slice]) -> None:
        """Say that other draws would give the scores of the first one."""
        method, metric, rows = cell
        block = self.samples[method, metric, : self._draws, rows]
        block[1:] = block[0]

    def error(self, cell: tuple[int, int, slice]) -> float:
        """Return the error that draws give to the mean of all images, as in a cell.

        Errors of images cancel, unless these share the draws.
        """
        method, metric, rows = cell
        samples = self.samples[method, metric, :, rows]
        common = self._metrics[metric].draws_for_all
        error = error_of_draws(samples, common)
        part = 1.0 if common else samples.shape[-1] / self.samples.shape[-1]
        return float(error * np.sqrt(part))

    @property
    def known(self) -> Booleans:
        """Which images have a score (N,)."""
        scored: Booleans = np.isfinite(self.samples).any(axis=(0, 1, 2))
        return scored

    def curves(self, rows: Any) -> dict[str, MethodCurves]:
        """Return the curves of some images, by metric."""
        found = {name: each.curves(rows) for name, each in self._curves.items()}
        return {name: each for name, each in found.items() if each is not None}
