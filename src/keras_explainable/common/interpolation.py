"""Resizing maps with any number of spatial axes by interpolation."""

import numpy as np
from keras import ops

from keras_explainable.types import Tensor


def interpolated(
    x: Tensor, size: tuple[int, ...], interpolation: str = "bilinear"
) -> Tensor:
    """Return ``x`` with its first spatial axes resized to ``size``.

    Args:
        x: Values, shape (B, *spatial, ...), with at least ``len(size)`` spatial axes.
        size: New lengths of the first spatial axes.
        interpolation: Mode of ``keras.ops.image.resize``, used for two axes; any other
            number of axes is interpolated linearly.
    """
    rank = len(size)
    if tuple(x.shape[1 : rank + 1]) == tuple(size):
        return x
    if rank != 2:
        return _along_axes(x, _weights(x, size))
    planes = ops.reshape(x, (*x.shape[:3], -1))
    planes = ops.image.resize(planes, size, interpolation, data_format="channels_last")
    return ops.reshape(planes, (-1, *size, *x.shape[3:]))


def interpolated_sum(x: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return ``x``, shape (B, *spatial), resized to ``size`` with its sum preserved."""
    weights = _weights(x, size)
    return _along_axes(x, [matrix / matrix.sum(axis=0) for matrix in weights])


def interpolation_weights(pixels: int, cells: int) -> np.ndarray:
    """Return the weight of each cell in each pixel, (pixels, cells); rows sum to 1."""
    position = np.clip((np.arange(pixels) + 0.5) * cells / pixels - 0.5, 0, cells - 1)
    distance = np.abs(position[:, None] - np.arange(cells)) / max(1, cells / pixels)
    weights = np.maximum(1 - distance, 0)
    return weights / weights.sum(axis=1, keepdims=True)


def _weights(x: Tensor, size: tuple[int, ...]) -> list[np.ndarray]:
    return [*map(interpolation_weights, size, x.shape[1:])]


def _along_axes(x: Tensor, weights: list[np.ndarray]) -> Tensor:
    for axis, matrix in enumerate(weights, 1):
        matrix = ops.cast(matrix, x.dtype)
        x = ops.moveaxis(ops.tensordot(x, matrix, axes=[[axis], [1]]), -1, axis)
    return x
