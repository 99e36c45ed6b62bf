"""Arranges panels, titles, labels of rows and a note in one picture, and draws it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from keras_explainable.plotting import panel_grid
from keras_explainable.plotting.panel_grid import Layout, Margins
from keras_explainable.plotting.panels import Panel

_NOTE_SIZE = 7.0  # Points


class Arrangement(NamedTuple):
    """What is given for the grid, as in ``visualize``, and what depends on the kind.

    Attributes:
        ticks: Inches for the ticks of axes, on their left and below.
        widest: Largest width of a panel in inches, unless the picture has a given size.
    """

    rows: int | None
    cols: int | None
    figsize: tuple[float, float] | None
    spaces: tuple[float, float]
    fontsize: float
    ticks: tuple[float, float]
    widest: float


class Picture(NamedTuple):
    """A picture that is ready to be drawn."""

    panels: list[Panel]
    names: list[str]
    labels: list[str]
    note: str
    layout: Layout
    cols: int
    fontsize: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        return self.layout.size

    def draw(self, figure: Any) -> None:
        """Draw the picture into an empty figure of its size."""
        for number, (panel, name) in enumerate(
            zip(self.panels, self.names, strict=True)
        ):
            axes = figure.add_axes(self.layout.box(*divmod(number, self.cols)))
            panel.draw(axes)
            size = self.fontsize
            axes.set_title(name, fontsize=size, color="black", pad=3, parse_math=False)
        self._draw_texts(figure)

    def _draw_texts(self, figure: Any) -> None:
        width, height = self.size
        end = self.layout.margins.left / width
        for row, label in enumerate(self.labels):
            middle = self.layout.middle(row)
            look = {"ha": "right", "va": "center", "fontsize": self.fontsize}
            figure.text(end, middle, label, **look, parse_math=False)
        if self.note:
            place = panel_grid.note_place(self.layout)
            look = {"ha": "left", "va": "bottom", "fontsize": _NOTE_SIZE}
            figure.text(place[0] / width, place[1] / height, self.note, **look)


def arrange(
    panels: list[Panel],
    titles: Any,
    row_labels: Sequence[str] | None,
    note: str,
    given: Arrangement,
) -> Picture:
    """Return a picture of panels.

    Raises:
        ValueError: If the grid is too small, or the number of titles or labels wrong.
    """
    kinds = "".join(panel.kind for panel in panels)
    asked = _rows_with_labels(given, row_labels, len(panels))
    rows, cols = panel_grid.grid_shape(kinds, asked, given.cols)
    labels = _labels(row_labels, rows)
    left = panel_grid.label_width(labels, given.fontsize)
    width = panel_grid.panel_width(
        cols, given.figsize, given.spaces[0], left, given.widest
    )
    names = [
        panel_grid.wrap_title(name, width, given.fontsize)
        for name in _names(titles, len(panels), cols)
    ]
    note = panel_grid.wrap_note(note, left + cols * width, _NOTE_SIZE)
    foot = panel_grid.note_height(note, _NOTE_SIZE)
    layout = panel_grid.make_layout(
        names,
        max(panel.aspect for panel in panels),
        (rows, cols),
        given.figsize,
        given.fontsize,
        given.spaces,
        Margins(left, foot, given.ticks),
        given.widest,
    )
    return Picture(panels, names, labels, note, layout, cols, given.fontsize)


def _rows_with_labels(
    given: Arrangement, row_labels: Sequence[str] | None, count: int
) -> int | None:
    """Return a row for each label if the panels fill them, and no grid is given."""
    if given.rows or given.cols or not row_labels or isinstance(row_labels, str):
        return given.rows
    return None if count % len(row_labels) else len(row_labels)


def _names(titles: Any, count: int, cols: int) -> list[str]:
    if titles is None:
        return [""] * count
    names = [titles] if isinstance(titles, str) else [str(title) for title in titles]
    if len(names) not in (count, cols):
        raise ValueError(
            f"`titles` must be as many as the panels, {count}, or the columns, {cols}; "
            f"received {len(names)}."
        )
    return names + [""] * (count - len(names))


def _labels(row_labels: Sequence[str] | None, rows: int) -> list[str]:
    if row_labels is None:
        return []
    given = [row_labels] if isinstance(row_labels, str) else row_labels
    labels = [panel_grid.wrap_label(str(label)) for label in given]
    if len(labels) != rows:
        raise ValueError(
            f"`row_labels` must be as many as the rows, {rows}, which `cols` sets; "
            f"received {len(labels)}."
        )
    return labels
