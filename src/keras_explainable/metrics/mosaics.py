"""Mosaics of images of several classes, on which maps are tested without masks."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.engine.data_iterators import as_numpy
from keras_explainable.metrics.localization import relevance_mass_accuracy
from keras_explainable.metrics.map_arrays import Floats, checked_maps
from keras_explainable.metrics.orientation import higher_is_better
from keras_explainable.network.model_inputs import shape_text


def mosaics(
    x: Any, y: Any, *, grid: tuple[int, int] = (2, 2), count: int = 32, seed: int = 0
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return mosaics of images of different classes, and the classes of their cells.

    Args:
        x: Images (N, H, W, C).
        y: Class of each image, (N,) or (N, 1).
        grid: Number G_h of rows and G_w of columns of cells.
        count: Number M of mosaics.
        seed: Integer >= 0, of the choice of classes and images.

    Returns:
        Mosaics (M, G_h H, G_w W, C), to be resized if the model needs another size; and
        the classes of their cells (M, G_h G_w), row by row, which are the units to
        explain for ``focus``.

    Raises:
        TypeError: If the classes are not integers.
        ValueError: If a shape is wrong, or there are fewer classes than cells.

    Reference: Bohle et al., 2021, https://arxiv.org/abs/2104.00032

    Example::

        images, classes = ke.metrics.mosaics(x, y)
        _, maps = ke.explain(method, model, images, classes)
        scores = ke.metrics.focus(maps)
    """
    images, labels = as_numpy(x), _checked_labels(x, y)
    _check_grid(grid)
    checks.integer("count", count, 1)
    checks.integer("seed", seed, 0)
    classes, cells = np.unique(labels), math.prod(grid)
    if len(classes) < cells:
        raise ValueError(
            f"`y` must have at least {cells} classes, one for each cell of a mosaic; "
            f"received {len(classes)}."
        )
    rng = np.random.default_rng(seed)
    chosen = np.stack([rng.permutation(classes)[:cells] for _ in range(count)])
    numbers = [rng.choice(np.flatnonzero(labels == each)) for each in chosen.ravel()]
    return _joined(images[numbers], grid), chosen


@higher_is_better
def focus(maps: Any, cells: Any = None, *, grid: tuple[int, int] = (2, 2)) -> Floats:
    """Return the share of each map's positive values in the right cell (N, K).

        score = sum of max(map, 0) in the cell / sum of max(map, 0)

    A random map scores 1 / (G_h G_w). NaN for a map without positive values. Higher is
    better.

    Args:
        maps: Maps (N, H, W, K) of mosaics.
        cells: Number of the right cell of each map, (N, K), row by row from 0. None if
            the k-th unit is that of the k-th cell, as returned by ``mosaics``.
        grid: Number of rows and columns of cells.

    Raises:
        TypeError: If the maps are not real numbers, or the cells not integers.
        ValueError: If a shape does not fit, a value is not finite, or there is no such
            cell.

    Reference: Arias-Duarte et al., 2022, https://arxiv.org/abs/2109.15035
    """
    maps = checked_maps(maps)
    _check_grid(grid)
    if maps.ndim != 4:
        raise ValueError(
            "`maps` must have the shape (N, H, W, K) for mosaics; received "
            f"{shape_text(maps.shape)}."
        )
    right = _checked_cells(cells, maps.shape, math.prod(grid))
    height, width = maps.shape[1:3]
    row = np.arange(height) * grid[0] // height
    column = np.arange(width) * grid[1] // width
    places = row[:, None] * grid[1] + column
    return relevance_mass_accuracy(maps, places[..., None] == right[:, None, None, :])


def _joined(images: NDArray[Any], grid: tuple[int, int]) -> NDArray[Any]:
    """Return images (M G_h G_w, H, W, C) as mosaics (M, G_h H, G_w W, C)."""
    _, height, width, channels = images.shape
    rows, columns = grid
    cells = images.reshape(-1, rows, columns, height, width, channels)
    return cells.swapaxes(2, 3).reshape(-1, rows * height, columns * width, channels)


def _check_grid(grid: Any) -> None:
    if not isinstance(grid, tuple | list) or len(grid) != 2:
        raise ValueError(
            f"`grid` must be the numbers of rows and columns; received {grid!r}."
        )
    for side in grid:
        checks.integer("grid", side, 1)


def _checked_labels(x: Any, y: Any) -> NDArray[Any]:
    shape, labels = np.shape(x), as_numpy(y, "y")
    if len(shape) != 4 or labels.shape not in (shape[:1], (shape[0], 1)):
        raise ValueError(
            "`x` and `y` must be images (N, H, W, C) and a class for each of them; "
            f"received shapes {shape_text(shape)} and {shape_text(labels.shape)}."
        )
    if labels.dtype.kind not in "iu":
        raise TypeError(f"`y` must be integers; received {labels.dtype}.")
    return labels.reshape(-1)


def _checked_cells(cells: Any, shape: tuple[int, ...], count: int) -> NDArray[Any]:
    wanted = shape[0], shape[-1]
    if cells is None and shape[-1] == count:
        return np.broadcast_to(np.arange(count), wanted)
    if cells is None:
        raise ValueError(
            f"`maps` must be of {count} units, one for each cell, if `cells` are not "
            f"given; received {shape[-1]}."
        )
    given = as_numpy(cells, "cells")
    given = given[:, None] if given.shape == shape[:1] else given
    if given.dtype.kind not in "iu":
        raise TypeError(f"`cells` must be integers; received {given.dtype}.")
    if given.shape != wanted or not ((given >= 0) & (given < count)).all():
        raise ValueError(
            f"`cells` must be numbers from 0 to {count - 1}, of the shape (N, K) = "
            f"{wanted}; received {cells!r:.60}."
        )
    return given
