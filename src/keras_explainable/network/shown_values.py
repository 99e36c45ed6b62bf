"""Means and blurred inputs that hidden steps do not count for."""

from typing import Any

from keras import ops

from keras_explainable import filters
from keras_explainable.types import Tensor


def mean_of_shown(inputs: Tensor, shown: Tensor | None) -> Tensor:
    """Return the mean of each channel of inputs (B, ..., C), with axes of length 1.

    Args:
        inputs: Inputs with spatial axes.
        shown: Where they are not hidden, in a shape like (B, T, 1); None for all.
    """
    axes = tuple(range(1, len(inputs.shape) - 1))
    if shown is None:
        return ops.mean(inputs, axis=axes, keepdims=True)
    weights = _weights(inputs, shown)
    total = ops.sum(weights * inputs, axis=axes, keepdims=True)
    return total / ops.maximum(ops.sum(weights, axis=axes, keepdims=True), 1)


def blurred_shown(inputs: Tensor, shown: Tensor | None) -> Tensor:
    """Return inputs (B, ..., C) without their details.

    The standard deviation is a tenth of the shorter side. Arguments are those of
    ``mean_of_shown``.
    """
    sigma = min(inputs.shape[1:-1]) / 10
    if shown is None:
        return filters.blur(inputs, sigma)
    weights = _weights(inputs, shown)
    total = filters.blur(weights * inputs, sigma)
    return total / ops.maximum(filters.blur(weights, sigma), 1e-6)


def _weights(inputs: Tensor, shown: Any) -> Tensor:
    return ops.broadcast_to(ops.cast(shown, inputs.dtype), inputs.shape)
