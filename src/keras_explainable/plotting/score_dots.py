"""Scores as dots with intervals: a panel for each metric, a row for each method."""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common.optional_packages import require
from keras_explainable.plotting import picture_output

ROW, PANEL, TITLE = 0.28, 2.0, 0.75  # Heights and widths in inches.


def draw_dots(
    means: NDArray[Any],
    intervals: NDArray[Any],
    rows: list[str],
    columns: list[str],
    muted: list[bool],
    *,
    to_file: str | os.PathLike[str] | None = None,
) -> None:
    """Draw means (M, Q) with their intervals (M, Q, 2), NaN where there are none.

    Args:
        means: Mean of each method and metric.
        intervals: Their lower and upper ends.
        rows: Titles of the methods.
        columns: Titles of the metrics.
        muted: Whether each method is drawn in grey.
        to_file: Path of a picture to write; None to show it.

    Raises:
        FileNotFoundError: If the folder of ``to_file`` does not exist.
        ImportError: If Matplotlib is not installed.
    """
    require("matplotlib")
    size = (_left(rows) + PANEL * len(columns), TITLE + ROW * len(rows))

    def draw(figure: Any) -> None:
        left, low, high = _left(rows) / size[0], 0.38 / size[1], 1 - 0.3 / size[1]
        panels = figure.subplots(1, len(columns), sharey=True, squeeze=False)[0]
        figure.subplots_adjust(left, low, 1 - 0.1 / size[0], high, wspace=0.12)
        for axes, mean, each in zip(
            panels, means.T, intervals.swapaxes(0, 1), strict=True
        ):
            _draw_panel(axes, mean, each, muted)
        for axes, title in zip(panels, columns, strict=True):
            axes.set_title(title, fontsize=9, parse_math=False)
        panels[0].set_yticks(range(len(rows)), rows, fontsize=9, parse_math=False)
        panels[0].set_ylim(len(rows) - 0.5, -0.5)  # The first method is at the top.

    if to_file is None:
        picture_output.show(draw, size)
    else:
        picture_output.save(draw, size, picture_output.writable(to_file))


def _left(rows: list[str]) -> float:
    """Return the width of the titles in inches."""
    return 0.25 + 0.075 * max(map(len, rows))


def _draw_panel(
    axes: Any, means: NDArray[Any], intervals: NDArray[Any], muted: list[bool]
) -> None:
    known = np.isfinite(intervals).all(axis=-1)
    places = np.arange(len(means))
    ends = intervals[known].T
    colors = np.where(muted, "0.55", "tab:blue")
    axes.hlines(places[known], *ends, color=colors[known], linewidth=1.5)
    axes.scatter(means, places, s=28, color=colors, zorder=3)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
