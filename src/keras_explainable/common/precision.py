"""Computing in a precision in which squares and sums neither overflow nor vanish."""

import keras
from keras import ops

from keras_explainable.types import Tensor


def widened(x: Tensor) -> Tensor:
    """Return a tensor in float64 as it is, and any other one in float32."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return x if dtype == "float64" else ops.cast(x, "float32")
