"""Select entries along an axis, others for each row of the first axes."""

from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.types import Tensor


def gather_along_axis(
    tensor: Tensor, indices: Any, axis: int, batch_dims: int
) -> Tensor:
    """Return the entries of ``tensor`` along ``axis``; see ``gather_units``.

    Raises:
        ValueError: If the axes do not fit, or an entry does not exist.
    """
    shape, own = tuple(tensor.shape), shape_of(indices)
    axis, batch = _axes(shape, own, axis, batch_dims)
    check_entries(indices, shape[axis])
    indices = ops.convert_to_tensor(indices)
    tensor = ops.convert_to_tensor(tensor)
    if batch == 0:
        return ops.take(tensor, indices, axis=axis)
    others = shape[batch:axis] + shape[axis + 1 :]
    units = ops.moveaxis(tensor, axis, batch)
    flat = ops.reshape(indices, (*own[:batch], -1, *(1,) * len(others)))
    wide = (*own[:batch], flat.shape[batch], *others)
    found = ops.take_along_axis(units, ops.broadcast_to(flat, wide), axis=batch)
    found = ops.moveaxis(found, batch, axis)
    return ops.reshape(found, (*shape[:axis], *own[batch:], *shape[axis + 1 :]))


def shape_of(values: Any) -> tuple[int, ...]:
    """Return the shape of a tensor, also a symbolic one, or of nested lists."""
    return tuple(values.shape) if hasattr(values, "shape") else np.shape(values)


def _axes(
    shape: tuple[int, ...], own: tuple[int, ...], axis: int, batch_dims: int
) -> tuple[int, int]:
    """Return both parameters as numbers of at least 0."""
    positive = axis + len(shape) if axis < 0 else axis
    batch = batch_dims + len(own) if batch_dims < 0 else batch_dims
    fits = 0 <= batch <= min(len(own), positive) and positive < len(shape)
    if not fits or shape[:batch] != own[:batch]:
        raise ValueError(
            "`axis` and `batch_dims` must be axes that `tensor` and `indices` have and "
            f"share; received axis={axis} and batch_dims={batch_dims} for shapes "
            f"{shape} and {own}."
        )
    return positive, batch


def check_entries(indices: Any, count: int) -> None:
    """Raise ValueError if there are values that are not below ``count``, or below 0."""
    if backend.is_symbolic(indices):
        return
    values = ops.convert_to_numpy(indices) if ops.is_tensor(indices) else indices
    values = np.asarray(values)
    if values.size and not (values.min() >= 0 and values.max() < count):
        raise ValueError(
            f"`indices` must be units of the model, at least 0 and below {count}; "
            f"received {values.min()} to {values.max()}."
        )
