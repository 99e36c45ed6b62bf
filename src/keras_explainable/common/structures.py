"""Tensors, or lists and dictionaries of them, as models with several inputs have."""

from typing import Any

import keras
import numpy as np
from keras import ops

#: A tensor, or tensors in lists and dictionaries.
Nested = Any

map_structure = keras.tree.map_structure
flatten = keras.tree.flatten


def row_count(tree: Nested) -> int:
    """Return the number of rows, which all tensors (R, ...) share."""
    return int(flatten(tree)[0].shape[0])


def is_float(x: Any) -> bool:
    """Whether a tensor, or a symbol of one, can have a derivative."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    found: bool = keras.backend.is_float_dtype(dtype)
    return found


def take_rows(tree: Nested, rows: np.ndarray) -> Nested:
    """Return some rows of each tensor (R, ...)."""
    rows = rows.astype("int32")
    return map_structure(lambda x: ops.take(x, rows, axis=0), tree)
