"""Scores as dots with intervals: a panel for each metric, a row for each method."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def draw_dots(
    panels: Any,
    means: NDArray[Any],
    intervals: NDArray[Any],
    rows: list[str],
    columns: list[str],
    colors: list[str],
) -> None:
    """Draw means (M, Q) with their intervals (M, Q, 2), NaN where there are none.

    Args:
        panels: Axes of Matplotlib, one for each metric.
        means: Mean of each method and metric.
        intervals: Their lower and upper ends.
        rows: Titles of the methods.
        columns: Titles of the metrics.
        colors: Colour of each method.
    """
    ends = intervals.swapaxes(0, 1)
    for axes, title, mean, each in zip(panels, columns, means.T, ends, strict=True):
        _draw_panel(axes, mean, each, np.array(colors))
        axes.set_title(title, fontsize=9, parse_math=False)
    panels[0].set_yticks(range(len(rows)), rows, fontsize=9, parse_math=False)
    panels[0].set_ylim(len(rows) - 0.5, -0.5)  # The first method is at the top.


def _draw_panel(
    axes: Any, means: NDArray[Any], intervals: NDArray[Any], colors: NDArray[Any]
) -> None:
    known = np.isfinite(intervals).all(axis=-1)
    places = np.arange(len(means))
    ends = intervals[known].T
    axes.hlines(places[known], *ends, color=colors[known], linewidth=1.5)
    axes.scatter(means, places, s=28, color=colors, zorder=3)
    axes.grid(axis="y", color="0.5", alpha=0.25, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    axes.locator_params(axis="x", nbins=4)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
