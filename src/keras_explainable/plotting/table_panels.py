"""Panels of tables: a bar for each feature, in two colours by its sign."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting import colormaps, panels
from keras_explainable.plotting.colormaps import Floats
from keras_explainable.plotting.panels import Panel, Style

_INCHES_PER_BAR, _INCHES_OF_TICKS = 0.17, 0.3
_LETTERS = 24  # Of the name of a feature, at most.
_INCHES_PER_LETTER = 0.065
_ENDS = np.array([[-0.8, 0.8]])  # Of the colour map: readable, but not the darkest.


def panels_of(
    array: NDArray[Any], map_: Any, style: Style, names: Sequence[str] | None
) -> list[Panel]:
    """Return a panel for each unit of the map of a row (F,), or one of the row alone.

    The bars are the values of the map, and labels are features with their values.
    """
    row = array.astype("float32")
    if map_ is None:
        return [_panel(row, labels(row, names, False), panels.IMAGE, style)]
    maps = colormaps.to_numpy(map_).astype("float32")
    units = maps.reshape(len(maps), -1).T
    if units.shape[1] != len(row):
        raise ValueError(
            f"`overlays` must have a value for each of {len(row)} features; "
            f"received shape {maps.shape}."
        )
    named = labels(row, names, True)
    return [_panel(unit, named, panels.MAP, style) for unit in units]


def labels(row: Floats, names: Sequence[str] | None, values: bool) -> list[str]:
    """Return the names of the features of a row, or their numbers; with its values."""
    known = range(len(row)) if names is None else names
    ends = [f" = {value:.3g}" if values else "" for value in row]
    return [f"{name!s:.{_LETTERS}}{end}" for name, end in zip(known, ends, strict=True)]


def tick_room(
    rows: list[NDArray[Any]], names: list[Any], values: bool
) -> tuple[float, float]:
    """Return the inches that labels need, left of the bars and below them."""
    longest = max(
        len(label)
        for row, own in zip(rows, names, strict=True)
        for label in labels(row, own, values)
    )
    return 0.1 + longest * _INCHES_PER_LETTER, 0.2


def _panel(values: Floats, named: list[str], kind: str, style: Style) -> Panel:
    height = len(values) * _INCHES_PER_BAR + _INCHES_OF_TICKS
    scale = colormaps.Scale(1.0, True)
    both = colormaps.colorize(_ENDS, style.overlay_cmap, scale)[0] / 255
    colors = [both[int(value > 0)] for value in values]
    draw = partial(_draw, np.nan_to_num(values), named, colors)
    return Panel(kind, height / panels.WIDEST, draw)


def _draw(values: Floats, named: list[str], colors: list[Any], axes: Any) -> None:
    places = np.arange(len(values))
    axes.barh(places, values, color=colors, height=0.7)
    axes.axvline(0, color="0.55", linewidth=0.8)
    axes.set_yticks(places, named, parse_math=False)
    axes.set_ylim(len(values) - 0.4, -0.6)  # The first on top.
    axes.tick_params(labelsize=7, length=0, labelcolor="0.2", pad=2)
    axes.tick_params("x", labelsize=6, length=2, color="0.55", labelcolor="0.35", pad=1)
    axes.locator_params("x", nbins=4)
    axes.margins(x=0.02)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("0.55")
