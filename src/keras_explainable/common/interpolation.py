"""Maps of any number of spatial axes in another size, linearly interpolated."""

import numpy as np
from keras import ops

from keras_explainable.types import Tensor


def interpolated(
    x: Tensor, size: tuple[int, ...], interpolation: str = "bilinear"
) -> Tensor:
    """Return values (B, *spatial, ...) of another size of their first spatial axes.

    Args:
        x: with as many spatial axes as ``size`` has numbers, or more.
        size: of these axes.
        interpolation: of two axes, as in ``keras.ops.image.resize``; of another number
            it is always linear.
    """
    rank = len(size)
    if tuple(x.shape[1 : rank + 1]) == tuple(size):
        return x
    if rank != 2:
        return _along_axes(
            x, [interpolation_weights(*pair) for pair in _lengths(x, size)]
        )
    planes = ops.reshape(x, (*x.shape[:3], -1))
    planes = ops.image.resize(planes, size, interpolation, data_format="channels_last")
    return ops.reshape(planes, (-1, *size, *x.shape[3:]))


def interpolated_sum(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return values (B, *spatial) of another size and of equal sum."""
    weights = [interpolation_weights(*pair) for pair in _lengths(x, size)]
    return _along_axes(x, [each / each.sum(axis=0) for each in weights])


def interpolation_weights(pixels: int, cells: int) -> np.ndarray:
    """Return the weight of each cell in each pixel (pixels, cells), rows of sum 1."""
    place = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    away = np.abs(place[:, None] - np.arange(cells)) / max(1, cells / pixels)
    weights = np.maximum(1 - away, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def _lengths(x: Tensor, size: tuple[int, ...]) -> list[tuple[int, int]]:
    return list(zip(size, x.shape[1 : len(size) + 1], strict=True))


def _along_axes(x: Tensor, weights: list[np.ndarray]) -> Tensor:
    for axis, each in enumerate(weights, 1):
        matrix = ops.cast(each, x.dtype)
        x = ops.moveaxis(ops.tensordot(x, matrix, axes=[[axis], [1]]), -1, axis)
    return x
