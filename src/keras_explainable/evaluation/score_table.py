"""The table of an evaluation: methods in rows, metrics in columns."""

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_explainable.common import table_format
from keras_explainable.evaluation.image_statistics import ROUNDING, best_rows
from keras_explainable.evaluation.paired_differences import fewest_images

if TYPE_CHECKING:
    from keras_explainable.evaluation.evaluation import Evaluation

#: Marks of the best method, and of those that cannot be told apart from it.
BEST, SAME = "*", "~"


def text(evaluation: "Evaluation") -> str:
    """Return the table and its legend as plain text."""
    most = len(evaluation.methods)
    table = table_format.text(caption(evaluation), _columns(evaluation), most)
    return "\n".join([table, *legend(evaluation)])


def html(evaluation: "Evaluation") -> str:
    """Return the table and its legend as HTML."""
    most = len(evaluation.methods)
    table = table_format.html(caption(evaluation), _columns(evaluation), most)
    lines = (f"<br>{escape(line)}" for line in legend(evaluation))
    return f"{table}\n<p>{''.join(lines).removeprefix('<br>')}</p>"


def column_title(evaluation: "Evaluation", metric: str) -> str:
    """Return the name of a metric with the direction of better scores."""
    higher = evaluation.higher_is_better[evaluation.metrics.index(metric)]
    return f"{metric} {'↑' if higher else '↓'}"


def row_title(evaluation: "Evaluation", method: str) -> str:
    """Return the name of a method, marked if it is a control."""
    return f"{method} (control)" if method in evaluation.controls else method


def legend(evaluation: "Evaluation") -> list[str]:
    """Return the lines below the table that say what its marks mean."""
    count, least = len(evaluation.ids), fewest_images(0.95)
    lines = ["↑ higher is better, ↓ lower is better."]
    if count >= least:
        lines.append(f"{BEST} best; {SAME} cannot be told apart from the best (95 %).")
    else:
        lines.append(
            f"{BEST} best; differences are not tested on fewer than {least} images."
        )
    if count == 1:
        lines.append("A single image has no standard error.")
    if (evaluation.monte_carlo_error > 0).any():
        lines.append("(...): standard error due to random draws alone.")
    if (evaluation.images < count).any():
        lines.append("[...]: number of images that have a score; –: none has.")
    return [*lines, *evaluation.notes]


def summary_rows(evaluation: "Evaluation") -> list[dict[str, Any]]:
    """Return a row for each method and metric."""
    arrays = {
        "mean": evaluation.mean,
        "std_error": evaluation.std_error,
        "monte_carlo_error": evaluation.monte_carlo_error,
        "images": evaluation.images,
    }
    return [
        _names(evaluation, m, q) | {name: x[m, q] for name, x in arrays.items()}
        for m in range(len(evaluation.methods))
        for q in range(len(evaluation.metrics))
    ]


def image_rows(evaluation: "Evaluation") -> list[dict[str, Any]]:
    """Return a row for each method, metric and image."""
    scores = evaluation.scores
    return [
        _names(evaluation, m, q) | {"id": image_id, "score": scores[m, q, number]}
        for m in range(len(evaluation.methods))
        for q in range(len(evaluation.metrics))
        for number, image_id in enumerate(evaluation.ids.tolist())
    ]


def _names(evaluation: "Evaluation", m: int, q: int) -> dict[str, Any]:
    method = evaluation.methods[m]
    return {
        "method": method,
        "is_control": method in evaluation.controls,
        "metric": evaluation.metrics[q],
        "higher_is_better": evaluation.higher_is_better[q],
    }


def caption(evaluation: "Evaluation") -> str:
    """Return the title of the table."""
    count = len(evaluation.ids)
    if count == 1:
        return "Scores of 1 image"
    return f"Mean scores of {count} images ± standard error"


def _columns(evaluation: "Evaluation") -> dict[str, list[str]]:
    titles = [row_title(evaluation, name) for name in evaluation.methods]
    columns = {"": titles}
    for number, metric in enumerate(evaluation.metrics):
        columns[column_title(evaluation, metric)] = cells(evaluation, number)
    return columns


def cells(evaluation: "Evaluation", column: int) -> list[str]:
    """Return the cells of a metric, each of which ends in its mark."""
    mean, error = evaluation.mean[:, column], evaluation.std_error[:, column]
    draws, images = evaluation.monte_carlo_error[:, column], evaluation.images
    digits, marks = _digits(mean, error), _marks(evaluation, column)
    cells = []
    for row, mark in enumerate(marks):
        count = images[row, column]
        parts = [f"{mean[row]:.{digits}f}"]
        parts += [f"± {error[row]:.{digits}f}"] * bool(np.isfinite(error[row]))
        parts += [f"({draws[row]:.{digits}f})"] * bool(draws[row] > 0.5 * 10**-digits)
        parts += [f"[{count}]"] * bool(count < len(evaluation.ids))
        cells.append(" ".join([*parts, mark]) if count else f"– {mark}")
    return cells


def _digits(mean: Any, error: Any) -> int:
    """Return decimals that show two digits of the median error, or three of a mean.

    Errors that are due to rounding do not count.
    """
    known = error[np.isfinite(error) & (error > ROUNDING * abs(mean))]
    size = np.median(known) if known.size else np.nanmax([*abs(mean), 0]) / 10
    return int(np.clip(1 - np.floor(np.log10(size)), 0, 8)) if size > 0 else 2


def _marks(evaluation: "Evaluation", column: int) -> list[str]:
    """Return the mark of each method: best, the same as the best, or none."""
    metric, best = evaluation.metrics[column], equally_best(evaluation, column)
    marks = []
    for name in evaluation.methods:
        found = evaluation.difference(name, best[0], metric) if best else None
        same = found and np.isfinite(found.low) and not found.told_apart
        marks.append(BEST if name in best else SAME if same else " ")
    return marks


def equally_best(evaluation: "Evaluation", column: int) -> list[str]:
    """Return the methods with the best mean of a metric, several if it is equal."""
    higher = evaluation.higher_is_better[column]
    rows = best_rows(evaluation.scores[:, column], higher)
    return [evaluation.methods[row] for row in rows]
