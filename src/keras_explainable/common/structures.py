"""Nested structures of tensors, such as the inputs of a model with several."""

from typing import Any

import keras
import numpy as np
from keras import ops

#: A tensor, or lists and dictionaries of tensors.
Nested = Any

map_structure = keras.tree.map_structure
flatten = keras.tree.flatten


def row_count(structure: Nested) -> int:
    """Return R, the number of rows that all tensors (R, ...) share."""
    return int(flatten(structure)[0].shape[0])


def first_of(structure: Nested) -> Any:
    """Return the first tensor; in a dictionary, that of the key that comes first.

    ``flatten`` sorts the keys.
    """
    while isinstance(structure, list | tuple | dict) and structure:
        ordered = structure.values() if isinstance(structure, dict) else structure
        structure = next(iter(ordered))
    return structure


def is_float(x: Any) -> bool:
    """Return whether a tensor, real or symbolic, can have a derivative."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return bool(keras.backend.is_float_dtype(dtype))


def take_rows(structure: Nested, rows: np.ndarray) -> Nested:
    """Return the given rows of each tensor (R, ...)."""
    rows = rows.astype("int32")
    return map_structure(lambda x: ops.take(x, rows, axis=0), structure)


def with_last_again(x: Any, times: int, axis: int = 0) -> Any:
    """Return a tensor with its last row, or other part along an axis, repeated."""
    if not times:
        return x
    again = ops.take(x, [x.shape[axis] - 1] * times, axis=axis)
    return ops.concatenate([x, again], axis=axis)
