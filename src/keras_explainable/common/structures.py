"""Tensors, or lists and dictionaries of them, as models with several inputs have."""

from typing import Any

import keras
import numpy as np
from keras import ops

#: A tensor, or tensors in lists and dictionaries.
Tree = Any

each = keras.tree.map_structure
leaves = keras.tree.flatten


def length(tree: Tree) -> int:
    """Return the number of rows, which all tensors (R, ...) share."""
    return int(leaves(tree)[0].shape[0])


def is_float(x: Any) -> bool:
    """Whether a tensor, or a symbol of one, can have a derivative."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    found: bool = keras.backend.is_float_dtype(dtype)
    return found


def taken(tree: Tree, rows: np.ndarray) -> Tree:
    """Return some rows of each tensor (R, ...)."""
    rows = rows.astype("int32")
    return each(lambda x: ops.take(x, rows, axis=0), tree)
