"""Values that stand in for hidden parts of an input."""

from typing import Any

from keras import ops

from keras_explainable.network.dense_arrays import as_array, check_finite
from keras_explainable.network.user_form import moved_array
from keras_explainable.types import Tensor


def as_fill(name: str, fill: Any, inputs: Tensor) -> Tensor:
    """Return a fill as a tensor that can be broadcast to the inputs (B, ..., C).

    Args:
        name: Name of the parameter, for error messages.
        fill: A number, one for each channel (C,), or an image (..., C) in the form of
            the user's inputs.
        inputs: Inputs of the network.

    Raises:
        TypeError: If it does not hold real numbers.
        ValueError: If it has another shape, or a value is not finite.
    """
    given = moved_array(name, as_array(name, fill))
    shape = tuple(inputs.shape[1:])
    if tuple(given.shape) not in ((), shape[-1:], shape):
        raise ValueError(
            f"`{name}` must be a number, one for each channel or an image of {shape}; "
            f"received shape {tuple(given.shape)}."
        )
    check_finite(given, name)
    return ops.cast(ops.convert_to_tensor(given), inputs.dtype)
