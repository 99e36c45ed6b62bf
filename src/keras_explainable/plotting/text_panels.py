"""Panels of texts: words on backgrounds that are coloured by a map."""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common.optional_packages import require
from keras_explainable.plotting import clipping, colormaps, panels, signal_panels
from keras_explainable.plotting.colormaps import Floats
from keras_explainable.plotting.panels import Panel, Style

#: Width of a panel in inches; a narrower one has smaller letters.
WIDEST = 5.0

_WIDTH = 72 * WIDEST  # Of a line, in points, as all lengths here.
_SIZE, _LINE, _SPACE, _PAD = 9.0, 15.0, 4.0, 1.5
_STRONGEST = 0.6  # Opacity of a background, on which words remain readable.

#: What stands for hidden steps in vocabularies.
_PADDING = {"", "[PAD]", "<pad>", "<PAD>"}


class _Word(NamedTuple):
    """A word with its place, and its background; None if it has none."""

    text: str
    left: float
    line: int
    width: float
    color: Any


def words_of(tokens: NDArray[Any], words: Sequence[Any] | None) -> list[str]:
    """Return a word for each token (T,): "" for one that is padding.

    Args:
        tokens: Numbers of words.
        words: A word for each number, or None to show the numbers themselves.
    """
    numbers = [int(token) for token in tokens]
    if words is None:
        shown = [str(number) if number else "" for number in numbers]
        # A single 0 in front is rather a token that starts the text.
        return ["0", *shown[1:]] if shown[0] == "" and any(shown[1:2]) else shown
    if max(numbers) >= len(words):
        raise ValueError(
            f"`words` must have a word for each number, up to {max(numbers)}; "
            f"received {len(words)} words."
        )
    return ["" if words[n] in _PADDING else str(words[n]) for n in numbers]


def panels_of(words: list[str], map_: Any, style: Style) -> list[Panel]:
    """Return a panel of words, or one for each unit of their map (T,) or (T, K)."""
    first, last = _ends(words)
    hidden = len(words) - (last - first)
    shown = words[first:last]
    if map_ is None:
        return [_panel(shown, hidden, None, panels.IMAGE, False)]
    maps = colormaps.to_numpy(map_).astype("float32")
    found = []
    for unit in maps.reshape(len(maps), -1).T:
        own = signal_panels.resized(unit, len(words))[first:last]
        clipped = clipping.clip_highest(own, style.percentile)
        colors = _backgrounds(clipped, style.overlay_cmap) if shown else None
        is_clipped = clipping.is_clipped(own, style.percentile)
        found.append(_panel(shown, hidden, colors, panels.MAP, is_clipped))
    return found


def _ends(words: list[str]) -> tuple[int, int]:
    """Return where the text starts and ends between padding."""
    real = [place for place, word in enumerate(words) if word]
    return (real[0], real[-1] + 1) if real else (0, 0)


def _backgrounds(map_: Floats, cmap: Any) -> Floats:
    """Return colours (T, 3) in 0..1, as transparent on white as the map is small."""
    scale = colormaps.Scale.of(map_)
    scale = scale if cmap else scale._replace(signed=True)
    colors = colormaps.colorize(map_[None], cmap, scale)[0] / 255
    opacity = _STRONGEST * np.abs(scale.unit(map_))[:, None]
    return (1 - opacity + opacity * colors).astype("float32")


def _panel(
    words: list[str], hidden: int, colors: Any, kind: str, clipped: bool
) -> Panel:
    backgrounds = [None] * len(words) if colors is None else colors
    end = [f"({hidden} padding)"] if hidden else []
    placed = _placed([*words, *end], [*backgrounds, *([None] * len(end))])
    height = (placed[-1].line + 1) * _LINE
    draw = partial(_draw, placed, height, len(end))
    return Panel(kind, height / _WIDTH, draw, clipped)


def _placed(words: list[str], colors: list[Any]) -> list[_Word]:
    """Return words in lines."""
    placed: list[_Word] = []
    left, line = 0.0, 0
    for word, color in zip(words, colors, strict=True):
        width = _width(word) + 2 * _PAD
        if left and left + width > _WIDTH:
            left, line = 0.0, line + 1
        placed.append(_Word(word, left, line, width, color))
        left += width + _SPACE
    return placed


def _width(word: str) -> float:
    font = require("matplotlib.font_manager").FontProperties(size=_SIZE)
    measure = require("matplotlib.textpath").text_to_path
    return float(measure.get_text_width_height_descent(word, font, False)[0])


def _draw(words: list[_Word], height: float, notes: int, axes: Any) -> None:
    """Draw words, of which the last ``notes`` are said about the text."""
    width, high = 72 * axes.figure.get_size_inches() * axes.get_position().size
    zoom = min(width / _WIDTH, high / height)
    axes.set_xlim(0, width / zoom)
    axes.set_ylim(high / zoom, 0)
    axes.set_axis_off()
    patch = require("matplotlib.patches").Rectangle
    for number, word in enumerate(words):
        top = word.line * _LINE + 1
        if word.color is not None:
            box = patch((word.left, top), word.width, _LINE - 2, color=word.color)
            axes.add_patch(box)
        grey = number >= len(words) - notes
        look = {"fontsize": _SIZE * zoom, "color": "0.5" if grey else "black"}
        place = word.left + _PAD, top + _LINE / 2 - 1
        axes.text(*place, word.text, va="center_baseline", **look, parse_math=False)
