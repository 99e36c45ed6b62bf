"""Panels of images, maps of images, and overlays of both."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting import clipping, colormaps, panels
from keras_explainable.plotting.panels import Panel, Style


def panels_of(array: NDArray[Any], map_: Any, style: Style) -> list[Panel]:
    """Return an image, or a map for each of its units; or overlays of one and each."""
    if map_ is not None:
        units = _units(colormaps.to_numpy(map_))
        return [_overlay(array, unit, style) for unit in units]
    if is_image(array, style.maps):
        return [panels.of_pixels(colormaps.to_rgb(array), panels.IMAGE)]
    return [_map(unit, style) for unit in _units(array)]


def is_image(array: NDArray[Any], maps: bool | None) -> bool:
    """Return whether an array is an image, by the rule of ``visualize``."""
    if array.dtype == np.uint8:
        return True
    if array.ndim != 3 or array.shape[-1] != 3:
        return False
    return _looks_like_an_image(array.astype("float32")) if maps is None else not maps


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


def _looks_like_an_image(values: NDArray[np.float32]) -> bool:
    low, high = values.min((0, 1)), values.max((0, 1))
    if not (low.min() >= 0 and high.max() <= 255):
        return False
    steps = values * 255 if high.max() <= 1 else values
    # A tolerance of a tenth of a step allows for half precision.
    if (np.abs(steps - np.rint(steps)) < 0.1).all():
        return True
    normalized = (low == 0).all() and np.isin(high, (0, 1)).all()
    return bool(high.max() <= 1 and values.mean() >= 0.1 and not normalized)
