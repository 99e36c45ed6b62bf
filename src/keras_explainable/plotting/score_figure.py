"""The figure of an evaluation: dots of all scores, and curves of some metrics below."""

import itertools
import math
import os
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from keras_explainable.common.optional_packages import require
from keras_explainable.plotting import picture_output
from keras_explainable.plotting.score_curves import Curves, Style, draw_curves
from keras_explainable.plotting.score_dots import draw_dots

# Heights and widths in inches.
_ROW, _PANEL, _TITLE = 0.28, 2.0, 0.75
_CURVES, _CURVES_WIDTH, _GAP = 2.2, 3.0, 0.65
_MOST_ACROSS = 6  # Panels of metrics
_LEGEND_ROWS = 12

_DASHES: list[Any] = ["-", (0, (4, 1.5)), (0, (1, 1)), (0, (4, 1, 1, 1))]
_COLORS = [f"C{number}" for number in range(10) if number != 7]  # C7 is grey.
_GREY = "0.55"


@dataclass(frozen=True)
class ScoreFigure:
    """What the figure shows.

    Attributes:
        means: Mean of each method and metric (M, Q).
        intervals: Their lower and upper ends (M, Q, 2), NaN where there are none.
        rows: Titles of the methods.
        columns: Titles of the metrics.
        muted: Whether each method is drawn in grey.
        curves: Curves of metrics that have some.
    """

    means: NDArray[Any]
    intervals: NDArray[Any]
    rows: list[str]
    columns: list[str]
    muted: list[bool]
    curves: list[Curves] = field(default_factory=list)

    def output(self, to_file: str | os.PathLike[str] | None) -> None:
        """Write the figure to a file, or show it.

        Raises:
            FileNotFoundError: If the folder of ``to_file`` does not exist.
            ImportError: If Matplotlib is not installed.
        """
        require("matplotlib")
        if to_file is None:
            picture_output.show(self._draw, self._size)
        else:
            path = picture_output.writable(to_file)
            picture_output.save(self._draw, self._size, path)

    def svg(self) -> str:
        """Return the figure as SVG, black parts of which have the colour of text."""
        require("matplotlib")
        return picture_output.svg(self._draw, self._size)

    @property
    def _left(self) -> float:
        """The width of the titles of the methods."""
        return 0.25 + 0.075 * max(map(len, self.rows))

    @property
    def _bands(self) -> list[slice]:
        """The metrics that are beside each other, in as many bands as they need."""
        count = len(self.columns)
        across = math.ceil(count / math.ceil(count / _MOST_ACROSS))
        return [slice(at, min(at + across, count)) for at in range(0, count, across)]

    @property
    def _dots_height(self) -> float:
        """The height of a band."""
        return _TITLE + _ROW * len(self.rows)

    @property
    def _size(self) -> tuple[float, float]:
        first, height = self._bands[0], self._dots_height * len(self._bands)
        width = self._left + _PANEL * (first.stop - first.start)
        if not self.curves:
            return width, height
        # A legend is on the right of the curves.
        curves = 0.5 + _CURVES_WIDTH * len(self.curves)
        curves += self._legend_columns * (self._left + 0.3)
        return max(width, curves), height + _CURVES + _GAP

    @property
    def _legend_columns(self) -> int:
        return math.ceil(len(self.rows) / _LEGEND_ROWS)

    def _draw(self, figure: Any) -> None:
        for number, band in enumerate(self._bands):
            self._draw_dots(figure, number, band)
        if self.curves:
            self._draw_curves(figure)

    def _draw_dots(self, figure: Any, number: int, band: slice) -> None:
        (width, height), count = self._size, band.stop - band.start
        top = height - number * self._dots_height
        grid = figure.add_gridspec(
            *(1, count),
            left=self._left / width,
            right=(self._left + _PANEL * count - 0.1) / width,
            bottom=(top - self._dots_height + 0.38) / height,
            top=(top - 0.3) / height,
            wspace=0.12,
        )
        panels = grid.subplots(sharey=True, squeeze=False)[0]
        colors = [style.color for style in self._styles()]
        data = self.means[:, band], self.intervals[:, band]
        draw_dots(panels, *data, self.rows, self.columns[band], colors)

    def _draw_curves(self, figure: Any) -> None:
        width, height = self._size
        right = (0.5 + _CURVES_WIDTH * len(self.curves)) / width
        grid = figure.add_gridspec(
            *(1, len(self.curves)),
            left=0.5 / width,
            right=right,
            bottom=0.45 / height,
            top=(0.45 + _CURVES - 0.3) / height,
            wspace=0.25,
        )
        panels = grid.subplots(squeeze=False)[0]
        for axes, curves in zip(panels, self.curves, strict=True):
            lines = draw_curves(axes, curves, self._styles())
        top = (0.45 + _CURVES - 0.25) / height
        legend = figure.legend(
            *(lines, self.rows),
            loc="upper left",
            bbox_to_anchor=(right + 0.1 / width, top),
            ncols=self._legend_columns,
            fontsize=8,
            frameon=False,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)

    def _styles(self) -> list[Style]:
        """Return the look of each method; that of grey ones differs by dashes only."""
        greys = itertools.cycle([Style(_GREY, dashes) for dashes in _DASHES])
        others = itertools.cycle(Style(x, each) for each in _DASHES for x in _COLORS)
        return [next(greys) if muted else next(others) for muted in self.muted]
