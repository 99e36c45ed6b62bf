"""The figure of an evaluation."""

from typing import TYPE_CHECKING

from keras_explainable.evaluation.score_table import column_title, row_title
from keras_explainable.plotting.score_curves import Curves
from keras_explainable.plotting.score_figure import ScoreFigure

if TYPE_CHECKING:
    from keras_explainable.evaluation.evaluation import Evaluation


def figure(evaluation: "Evaluation", confidence: float = 0.95) -> ScoreFigure:
    """Return the figure of means with their intervals, and of curves."""
    return ScoreFigure(
        evaluation.mean,
        evaluation.intervals(confidence),
        [row_title(evaluation, name) for name in evaluation.methods],
        [column_title(evaluation, name) for name in evaluation.metrics],
        [name in evaluation.controls for name in evaluation.methods],
        [_curves(evaluation, name) for name in evaluation.curves],
    )


def _curves(evaluation: "Evaluation", metric: str) -> Curves:
    curves = evaluation.curves[metric]
    is_insertion = evaluation.higher_is_better[evaluation.metrics.index(metric)]
    doing = "inserted" if is_insertion else "removed"
    label = f"fraction of pixels {doing}, largest first"
    title = column_title(evaluation, metric)
    return Curves(title, label, curves.fractions, curves.mean, curves.std_error)
