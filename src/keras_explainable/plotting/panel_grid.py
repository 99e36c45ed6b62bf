"""The layout of a grid of panels: rows and columns, sizes and gaps."""

import itertools
import math
import textwrap
from typing import NamedTuple

from keras_explainable.plotting.panels import WIDEST

_GAP = 0.1  # inches around each panel
_LINE_HEIGHT = 1.3 / 72  # inches per point of font size
_LETTER_WIDTH = 0.6 / 72  # inches per point of font size, on average
_LABEL_LETTERS = 18  # in a line of a row's label, at most

_FLATTEST, _TALLEST = 0.04, 4.0  # Panels, as multiples of their width


class Margins(NamedTuple):
    """Room for other things than panels and their titles, in inches.

    Attributes:
        left: Left of all panels, for the labels of rows.
        foot: Below all panels, for a note.
        ticks: Inside of each panel, on its left and below, for the ticks of its axes.
    """

    left: float = 0.0
    foot: float = 0.0
    ticks: tuple[float, float] = (0.0, 0.0)


class Layout(NamedTuple):
    """The sizes of a picture and its panels, in inches."""

    size: tuple[float, float]
    panel: tuple[float, float]
    title_heights: list[float]  # One above each row.
    top: float  # Margin above the first title.
    spaces: tuple[float, float] = (0.0, 0.0)  # Further ones between columns and rows.
    margins: Margins = Margins()

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height as fractions of the picture."""
        (width, height), (wide, high) = self.size, self.panel
        across, below = self.spaces
        left = self.margins.left + _GAP + column * (wide + across + _GAP)
        titles = sum(self.title_heights[: row + 1])
        down = self.top + titles + (row + 1) * high + row * (below + _GAP)
        beside, under = self.margins.ticks
        beside, under = min(beside, wide / 2), min(under, high / 2)
        return (
            (left + beside) / width,
            1 - (down - under) / height,
            (wide - beside) / width,
            (high - under) / height,
        )

    def middle(self, row: int) -> float:
        """Return the height of the middle of a row as a fraction of the picture."""
        _, bottom, _, high = self.box(row, 0)
        return bottom + high / 2


def grid_shape(kinds: str, rows: int | None, cols: int | None) -> tuple[int, int]:
    """Return the numbers of rows and columns of a grid.

    Args:
        kinds: The kinds of the panels in order, one letter each.
        rows: The number of rows, if it is given.
        cols: The number of columns, if it is given.

    Raises:
        ValueError: If ``rows`` and ``cols`` are too small or not positive integers.
    """
    count = len(kinds)
    for name, given in (("rows", rows), ("cols", cols)):
        if given is not None and (given < 1 or given != int(given)):
            raise ValueError(f"`{name}` must be a whole number >= 1; received {given}.")
    if cols is None:
        cols = math.ceil(count / rows) if rows else _default_cols(kinds)
    rows = rows or math.ceil(count / cols)
    if rows * cols < count:
        raise ValueError(
            f"`rows` x `cols` must hold {count} panels; received {rows} x {cols}."
        )
    return rows, cols


def _default_cols(kinds: str) -> int:
    """Return a number of columns that keeps an image and its maps together."""
    count, root = len(kinds), math.sqrt(len(kinds))
    period = (kinds * 2).index(kinds, 1)
    if 1 < period < count:  # Image, map, image, map: complete groups in each row.
        return period * math.ceil(root / period)
    # All images, then all maps: complete rows of each.
    common = math.gcd(*(len(list(run)) for _, run in itertools.groupby(kinds)))
    fitting = [n for n in range(2, 9) if common % n == 0 and count <= 4 * n * n]
    return max(fitting, default=count if count <= 5 else math.ceil(root))


def wrap_title(title: str, width: float, fontsize: float) -> str:
    """Return a title in at most three lines of about ``width`` inches."""
    letters = max(int(width / (_LETTER_WIDTH * fontsize)), 4)
    return textwrap.fill(title, letters, max_lines=3, placeholder="…")


def wrap_label(label: str) -> str:
    """Return the label of a row in at most four lines."""
    return textwrap.fill(label, _LABEL_LETTERS, max_lines=4, placeholder="…")


def label_width(labels: list[str], fontsize: float) -> float:
    """Return the width of wrapped labels in inches, 0 if there are none."""
    letters = max(
        (len(line) for each in labels for line in each.split("\n")), default=0
    )
    return letters * fontsize * _LETTER_WIDTH + (_GAP if letters else 0)


def wrap_note(note: str, width: float, fontsize: float) -> str:
    """Return a note in lines of about ``width`` inches."""
    letters = max(int(width / (_LETTER_WIDTH * fontsize)), 16)
    return "\n".join(textwrap.fill(line, letters) for line in note.split("\n"))


def note_height(note: str, fontsize: float) -> float:
    """Return the height of a wrapped note in inches."""
    return (note.count("\n") + 1) * fontsize * _LINE_HEIGHT + _GAP if note else 0.0


def note_place(layout: Layout) -> tuple[float, float]:
    """Return the left and bottom of the note in inches."""
    return layout.margins.left + _GAP, layout.top


def panel_width(
    cols: int,
    figsize: tuple[float, float] | None,
    space: float = 0.0,
    left: float = 0.0,
    widest: float = WIDEST,
) -> float:
    """Return the width of a panel in inches, to fit ``figsize`` or else a screen.

    Args:
        cols: Number of columns.
        figsize: Width and height of the picture in inches.
        space: Further space between columns, as a fraction of the width of a panel.
        left: Margin on the left.
        widest: Largest width of a panel if there is no ``figsize``.
    """
    if figsize is None:
        return min(max(14 / cols, 1.3), widest)
    room = figsize[0] - left - (cols + 1) * _GAP
    return max(room / (cols + (cols - 1) * space), _GAP)


def make_layout(
    titles: list[str],
    aspect: float,
    shape: tuple[int, int],
    figsize: tuple[float, float] | None,
    fontsize: float,
    spaces: tuple[float, float] = (0.0, 0.0),
    margins: Margins = Margins(),  # noqa: B008 (immutable)
    widest: float = WIDEST,
) -> Layout:
    """Return the layout of panels, sized to fit ``figsize`` if it is given.

    Args:
        titles: The wrapped titles of the panels, row by row.
        aspect: Height of the tallest panel as a multiple of its width.
        shape: Numbers of rows and columns.
        figsize: Width and height of the picture in inches.
        fontsize: Font size of the titles in points.
        spaces: Further space between columns and between rows, as fractions of the
            width and the height of a panel.
        margins: Room for labels, a note and ticks.
        widest: Largest width of a panel if there is no ``figsize``.
    """
    rows, cols = shape
    wide = panel_width(cols, figsize, spaces[0], margins.left, widest)
    high = wide * min(max(aspect, _FLATTEST), _TALLEST)
    lines = [_line_count(titles[row * cols : (row + 1) * cols]) for row in range(rows)]
    title_heights = [count * fontsize * _LINE_HEIGHT for count in lines]
    if figsize is not None:
        room = figsize[1] - (rows + 1) * _GAP - sum(title_heights) - margins.foot
        high = max(min(high, room / (rows + (rows - 1) * spaces[1])), _GAP)
    between = spaces[0] * wide, spaces[1] * high
    width = margins.left + cols * (wide + _GAP) + (cols - 1) * between[0] + _GAP
    height = rows * (high + _GAP) + (rows - 1) * between[1] + _GAP
    height += sum(title_heights) + margins.foot
    size = figsize or (width, height)
    top = _GAP + (size[1] - height) / 2
    return Layout(size, (wide, high), title_heights, top, between, margins)


def _line_count(titles: list[str]) -> int:
    return max((title.count("\n") + 1 for title in titles if title), default=0)
