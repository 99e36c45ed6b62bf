"""Panels of images, maps of images, and overlays of both."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting import clipping, colormaps, panels
from keras_explainable.plotting.panels import Panel, Style
from keras_explainable.plotting.recognized_images import is_image


def panels_of(array: NDArray[Any], map_: Any, style: Style) -> list[Panel]:
    """Return an image, or a map for each of its units; or overlays of one and each."""
    if map_ is not None:
        units = _units(colormaps.to_numpy(map_))
        return [_overlay(array, unit, style) for unit in units]
    if is_image(array, style.maps):
        return [panels.of_pixels(colormaps.to_rgb(array), panels.IMAGE)]
    return [_map(unit, style) for unit in _units(array)]


def _map(unit: NDArray[Any], style: Style) -> Panel:
    values = colormaps.single_map(unit)
    clipped = clipping.clip_highest(values, style.percentile)
    pixels = colormaps.colorize(clipped, style.cmap)
    hidden = clipping.is_clipped(values, style.percentile)
    return panels.of_pixels(pixels, panels.MAP, hidden)


def _overlay(image: NDArray[Any], unit: NDArray[Any], style: Style) -> Panel:
    values = colormaps.single_map(unit)
    clipped = clipping.clip_highest(values, style.percentile)
    pixels = colormaps.overlay(image, clipped, style.alpha, style.overlay_cmap)
    hidden = clipping.is_clipped(values, style.percentile)
    return panels.of_pixels(pixels, panels.MAP, hidden)


def _units(maps: NDArray[Any]) -> Iterable[NDArray[Any]]:
    return np.moveaxis(maps, -1, 0) if maps.ndim == 3 else [maps]
