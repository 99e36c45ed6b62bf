"""Computing in a precision in which squares and sums neither overflow nor vanish."""

from typing import Any

import keras
from keras import ops

from keras_explainable.types import Tensor

#: Bits of the fraction of a float of each type.
_BITS = {"bfloat16": 7, "float16": 10, "float32": 23, "float64": 52}


def rounding_of(x: Tensor) -> float:
    """Return the largest relative error by which numbers of a tensor are rounded."""
    return float(2.0 ** -(1 + _BITS[keras.backend.standardize_dtype(x.dtype)]))


def widened(x: Tensor) -> Tensor:
    """Return a tensor in float64 as it is, and any other one in float32."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return x if dtype == "float64" else ops.cast(x, "float32")


def storable(array: Any) -> Any:
    """Return an array whose type files know: bfloat16 becomes float32, exactly."""
    return array.astype("float32") if array.dtype.kind == "V" else array
