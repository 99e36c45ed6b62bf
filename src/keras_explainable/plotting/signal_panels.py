"""Panels of signals: lines, coloured by a map if there is one."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common.interpolation import interpolation_weights
from keras_explainable.common.optional_packages import require
from keras_explainable.plotting import clipping, colormaps, panels
from keras_explainable.plotting.colormaps import Floats, Pixels
from keras_explainable.plotting.panels import Panel, Style

_ASPECT, _LANE = 0.3, 0.12  # Height of one channel, and of each further one.
_HIGHEST = 1.2  # However many channels there are.
_SPACE = 1.15  # From one channel to the next, which has a height of 1.
#: Inches for the ticks of its axes, on their left and below.
TICKS = (0.3, 0.2)

#: Largest width of a panel in inches.
WIDEST = 5.0

#: What a picture says below signals whose channels have the same colours.
_SHARED = "All channels of a signal are coloured by the same map."

_GREY = "0.55"
_THIN, _WIDE = 1.0, 3.0  # Points: lines where the map is zero and where it is largest.


def panels_of(array: NDArray[Any], map_: Any, style: Style) -> list[Panel]:
    """Return a panel of a signal (T,) or (T, C), or one for each unit of its map.

    Several channels are drawn above each other, each scaled to its own range. They
    share a map (T,) or (T, K), or have their own, (T, C, K).
    """
    signal = _lanes(array.astype("float32").reshape(len(array), -1))
    if map_ is None:
        return [_panel(signal, None, None)]
    maps = colormaps.to_numpy(map_).astype("float32")
    if maps.ndim == 3 and maps.shape[1] != signal.shape[1]:
        raise ValueError(
            "`overlays` must be (T,), (T, K), or (T, C, K) with a map for each of "
            f"{signal.shape[1]} channels; received shape {maps.shape}."
        )
    units = np.moveaxis(np.atleast_2d(maps.T).T, -1, 0)
    return [_panel(signal, resized(unit, len(signal)), style) for unit in units]


def _lanes(signal: Floats) -> Floats:
    """Return channels (T, C) at heights above each other; one alone as it is."""
    count = signal.shape[1]
    if count == 1:
        return signal
    low, high = np.nanmin(signal, axis=0), np.nanmax(signal, axis=0)
    unit = (signal - low) / np.where(high > low, high - low, 1)
    return unit + _SPACE * np.arange(count - 1, -1, -1, dtype="float32")


def resized(unit: Floats, steps: int) -> Floats:
    """Return a map (T,) or (T, C) of another number of steps."""
    return (
        unit if len(unit) == steps else interpolation_weights(steps, len(unit)) @ unit
    )


def _panel(signal: Floats, map_: Floats | None, style: Style | None) -> Panel:
    aspect = min(_ASPECT + _LANE * (signal.shape[1] - 1), _HIGHEST)
    if map_ is None or style is None:
        return Panel(panels.IMAGE, aspect, partial(_draw, signal, None, None))
    clipped = clipping.clip_highest(map_, style.percentile)
    scale = colormaps.Scale.of(clipped)
    # Zero is the light grey in the middle of the colour map, on white paper.
    symmetric = scale if style.overlay_cmap else scale._replace(signed=True)
    lanes = np.broadcast_to(clipped.reshape(len(clipped), -1), signal.shape).T
    colors = colormaps.colorize(lanes, style.overlay_cmap, symmetric)
    draw = partial(_draw, signal, colors, np.abs(scale.unit(lanes)))
    hidden = clipping.is_clipped(map_, style.percentile)
    shared = map_.ndim == 1 and signal.shape[1] > 1
    return Panel(panels.MAP, aspect, draw, hidden, _SHARED if shared else "")


def _draw(
    signal: Floats, colors: Pixels | None, strength: Floats | None, axes: Any
) -> None:
    axes.plot(signal, color=_GREY, linewidth=0.8)
    if colors is not None and strength is not None:
        for lane in zip(signal.T, colors, strength, strict=True):
            axes.add_collection(_colored_line(*lane))
    _draw_axes(axes, signal.shape[1] == 1)


def _colored_line(channel: Floats, colors: Pixels, strength: Floats) -> Any:
    widths = _THIN + (_WIDE - _THIN) * strength
    # As overlays, transparent where the map is zero.
    opacity = np.minimum(2 * strength, 1)
    rgba = np.concatenate([colors / 255, opacity[:, None]], axis=1)
    lines = require("matplotlib.collections").LineCollection
    return lines(_steps(channel), colors=rgba, linewidths=widths, zorder=2)


def _steps(channel: Floats) -> Floats:
    """Return a line for each step, (T, 3, 2), that ends halfway to its neighbours."""
    points = np.stack([np.arange(len(channel)), channel], axis=-1)
    ends = (points[1:] + points[:-1]) / 2
    before = np.concatenate([points[:1], ends])
    after = np.concatenate([ends, points[-1:]])
    return np.stack([before, points, after], axis=1).astype("float32")


def _draw_axes(axes: Any, has_values: bool) -> None:
    axes.margins(x=0.01)
    axes.tick_params(labelsize=6, length=2, color=_GREY, labelcolor="0.35", pad=1)
    axes.locator_params(nbins=5)
    if not has_values:
        axes.set_yticks([])
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_GREY)
