"""Where the panels of a picture go: how many in a row, how large, how far apart."""

import itertools
import math
import textwrap
from typing import NamedTuple

__all__ = ["Layout", "arranged", "grid", "panel_width", "wrapped"]

_GAP = 0.1  # inches around each panel
_LINE = 1.3 / 72  # inches that a line of text takes, per point of its size
_LETTER = 0.6 / 72  # inches that a letter takes on average, likewise


class Layout(NamedTuple):
    """A picture of panels, all measures in inches."""

    size: tuple[float, float]
    panel: tuple[float, float]
    heads: list[float]  # Height of the titles above each row.
    top: float

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Return left, bottom, width and height, as fractions of the picture."""
        (width, height), (wide, high) = self.size, self.panel
        left = _GAP + column * (wide + _GAP)
        down = self.top + sum(self.heads[: row + 1]) + (row + 1) * high + row * _GAP
        return left / width, 1 - down / height, wide / width, high / height


def grid(kinds: str, rows: int | None, cols: int | None) -> tuple[int, int]:
    """Return rows and columns for panels of these kinds, one letter each.

    Raises:
        ValueError: if ``rows`` and ``cols`` are too small, or no counts.
    """
    count = len(kinds)
    for name, given in (("rows", rows), ("cols", cols)):
        if given is not None and (given < 1 or given != int(given)):
            raise ValueError(f"`{name}` must be a whole number >= 1; received {given}.")
    if cols is None:
        cols = math.ceil(count / rows) if rows else _columns(kinds)
    rows = rows or math.ceil(count / cols)
    if rows * cols < count:
        raise ValueError(
            f"`rows` x `cols` must hold {count} panels; received {rows} x {cols}."
        )
    return rows, cols


def _columns(kinds: str) -> int:
    """Columns that put what belongs together into one row, or below each other."""
    count, root = len(kinds), math.sqrt(len(kinds))
    period = (kinds * 2).index(kinds, 1)
    if 1 < period < count:  # Image, map, image, map: whole groups in each row.
        return period * math.ceil(root / period)
    # All images, then all maps: whole rows of either.
    common = math.gcd(*(len(list(run)) for _, run in itertools.groupby(kinds)))
    fitting = [n for n in range(2, 9) if common % n == 0 and count <= 4 * n * n]
    return max(fitting, default=count if count <= 5 else math.ceil(root))


def wrapped(title: str, inches: float, fontsize: float) -> str:
    """Return a title in at most three lines of about a width."""
    letters = max(int(inches / (_LETTER * fontsize)), 4)
    return textwrap.fill(title, letters, max_lines=3, placeholder="…")


def panel_width(cols: int, figsize: tuple[float, float] | None) -> float:
    """Return the width of a panel in inches, for a screen or as asked for."""
    if figsize is None:
        return min(max(14 / cols, 1.3), 2.6)
    return max((figsize[0] - _GAP) / cols - _GAP, _GAP)


def arranged(
    titles: list[str],
    slope: float,
    shape: tuple[int, int],
    figsize: tuple[float, float] | None,
    fontsize: float,
) -> Layout:
    """Return the layout of panels, sized to fit ``figsize`` if there is one.

    Args:
        titles: Of the panels, row by row, wrapped.
        slope: Height of the tallest panel as a multiple of its width.
        shape: Rows and columns.
        figsize: Width and height of the picture in inches.
        fontsize: Of the titles, in points.
    """
    rows, cols = shape
    wide = panel_width(cols, figsize)
    high = wide * min(max(slope, 0.25), 4.0)
    lines = [_lines(titles[row * cols : (row + 1) * cols]) for row in range(rows)]
    heads = [count * fontsize * _LINE for count in lines]
    if figsize is not None:
        room = (figsize[1] - _GAP - sum(heads)) / rows - _GAP
        high = max(min(high, room), _GAP)
    width = cols * (wide + _GAP) + _GAP
    height = rows * (high + _GAP) + sum(heads) + _GAP
    size = figsize or (width, height)
    return Layout(size, (wide, high), heads, _GAP + (size[1] - height) / 2)


def _lines(titles: list[str]) -> int:
    return max((title.count("\n") + 1 for title in titles if title), default=0)
