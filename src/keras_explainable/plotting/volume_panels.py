"""Panels of volumes: slices along the first axis."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting import clipping, colormaps, panels
from keras_explainable.plotting.colormaps import Floats, Pixels, Scale
from keras_explainable.plotting.panels import Panel, Style
from keras_explainable.plotting.recognized_images import is_image


def panels_of(array: NDArray[Any], map_: Any, style: Style, slices: int) -> list[Panel]:
    """Return the slices of a volume (D, H, W) or (D, H, W, C), or of its overlays.

    The colours mean the same in all slices of a map.
    """
    volume = array[..., None] if array.ndim == 3 else array
    shown = slice_numbers(len(volume), slices)
    if map_ is not None:
        maps = colormaps.to_numpy(map_)
        maps = maps[..., None] if maps.ndim == 3 else maps
        return _overlays(_grey_or_rgb(volume)[shown], maps, shown, len(volume), style)
    if style.maps is False or is_image(volume[0], style.maps):
        pictures = _grey_or_rgb(volume)[shown]
        return [panels.of_pixels(each, panels.IMAGE) for each in pictures]
    return [panel for unit in _units(volume) for panel in _maps(unit, shown, style)]


def slice_numbers(depth: int, slices: int) -> NDArray[np.int64]:
    """Return the numbers of the slices in the middle of equal parts of a volume."""
    count = min(depth, slices)
    return ((np.arange(count) + 0.5) * depth / count).astype("int64")


def _maps(unit: Floats, shown: NDArray[np.int64], style: Style) -> list[Panel]:
    clipped, scale, hidden = _clipped(unit, style)
    return [
        panels.of_pixels(
            colormaps.colorize(clipped[number], style.cmap, scale), panels.MAP, hidden
        )
        for number in shown
    ]


def _overlays(
    pictures: Pixels,
    maps: NDArray[Any],
    shown: NDArray[np.int64],
    depth: int,
    style: Style,
) -> list[Panel]:
    # The map may have fewer slices than the volume.
    numbers = ((shown + 0.5) * len(maps) / depth).astype("int64")
    found = []
    for unit in _units(maps):
        clipped, scale, hidden = _clipped(unit, style)
        for picture, number in zip(pictures, numbers, strict=True):
            pixels = colormaps.overlay(
                picture, clipped[number], style.alpha, style.overlay_cmap, scale
            )
            found.append(panels.of_pixels(pixels, panels.MAP, hidden))
    return found


def _clipped(unit: Floats, style: Style) -> tuple[Floats, Scale, bool]:
    clipped = clipping.clip_highest(unit, style.percentile)
    hidden = clipping.is_clipped(unit, style.percentile)
    return clipped, Scale.of(clipped), hidden


def _units(maps: NDArray[Any]) -> Floats:
    return np.moveaxis(maps, -1, 0).astype("float32")


def _grey_or_rgb(volume: NDArray[Any]) -> Pixels:
    """Return a volume (D, H, W, C) as 8-bit RGB; floats of one channel in greys."""
    if volume.dtype != np.uint8 and volume.shape[-1] == 1:
        values = volume.astype("float32")
        low, high = np.nanmin(values), np.nanmax(values)
        volume = np.nan_to_num((values - low) / (high - low if high > low else 1))
    flat = colormaps.to_rgb(volume.reshape(-1, *volume.shape[2:]))
    return flat.reshape(*volume.shape[:3], 3)
