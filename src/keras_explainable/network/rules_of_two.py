"""Rules for functions of two tensors, and what they are made of.

Values are the framework's; ``derivative_rules`` says on which backends they apply.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.network.graph import shallow_copy
from keras_explainable.types import Tensor


def zero_at_zero(operation: Any, x: Tensor) -> Tensor:
    """The derivative at 0, which is infinite or lost there, is 0."""
    value = ops.stop_gradient(operation(ops.zeros_like(x)))
    return ops.where(x == 0, value, operation(ops.where(x == 0, 1, x)))


def hypot(operation: Any, x1: Any, x2: Any) -> Tensor:
    """The derivatives where both are 0 are 0."""
    square = ops.add(ops.square(x1), ops.square(x2))
    return with_values(operation(x1, x2), zero_at_zero(ops.sqrt, square))


def logaddexp(operation: Any, x1: Any, x2: Any) -> Tensor:
    """It is smooth where both are equal."""
    first = ops.greater_equal(x1, x2)
    larger, smaller = ops.where(first, x1, x2), ops.where(first, x2, x1)
    return with_values(operation(x1, x2), larger + ops.softplus(smaller - larger))


def logaddexp2(operation: Any, x1: Any, x2: Any) -> Tensor:
    """It is smooth where both are equal."""
    one, other = (ops.multiply(x, math.log(2)) for x in (x1, x2))
    formula = logaddexp(ops.logaddexp, one, other) / math.log(2)
    return with_values(operation(x1, x2), formula)


def add(operation: Any, x1: Any, x2: Any) -> Tensor:
    """Each row is given its own value.

    On TensorFlow, Keras 3.15 takes a second tensor (B, 1) for the biases of the first
    (B, C) if there are as many rows as channels.
    """
    return ops.add(x2, x1)


def power(operation: Any, x1: Any, x2: Any) -> Tensor:
    """The derivatives of 0 to the power of 0, which is 1 like others, are 0."""
    if not ops.is_tensor(x1):
        return operation(x1, x2)
    is_zero = ops.logical_and(ops.equal(x1, 0), ops.equal(x2, 0))
    return operation(ops.where(is_zero, ops.ones_like(x1), x1), x2)


def fmod(operation: Any, x1: Any, x2: Any) -> Tensor:
    """It is linear around 0."""
    whole = ops.stop_gradient(ops.trunc(ops.divide(x1, x2)))
    return with_values(operation(x1, x2), ops.subtract(x1, ops.multiply(whole, x2)))


def dot(layer: keras.layers.Dot, inputs: Sequence[Tensor]) -> Tensor:
    """Of the cosine, the derivatives by a vector of zeros are 0."""
    axes = [layer.axes] * 2 if isinstance(layer.axes, int) else layer.axes
    product = shallow_copy(layer)
    product.__dict__["normalize"] = False  # Not tracked like an attribute.
    pairs = zip(inputs, axes, strict=True)
    return product([zero_where_zero(ops.normalize, x, axis) for x, axis in pairs])


def zero_where_zero(function: Any, x: Tensor, axis: Any) -> Tensor:
    """Return 0, also as a derivative, for vectors of zeros along an axis."""
    is_zero = ops.all(x == 0, axis=axis, keepdims=True)
    return ops.where(is_zero, 0, function(ops.where(is_zero, 1, x), axis=axis))


def arctan2(operation: Any, x1: Any, x2: Any) -> Tensor:
    """The derivatives where both are 0 are 0."""
    is_zero = ops.logical_and(ops.equal(x1, 0), ops.equal(x2, 0))
    value = operation(x1, ops.where(is_zero, 1, x2))
    return ops.where(is_zero, ops.stop_gradient(operation(x1, x2)), value)


def ldexp(operation: Any, x1: Any, x2: Any) -> Tensor:
    """It is linear."""
    scale = ops.power(2.0, ops.cast(x2, x1.dtype))
    return with_values(operation(x1, x2), x1 * ops.cast(scale, x1.dtype))


def cdist(operation: Any, x: Tensor, y: Tensor) -> Tensor:
    """The derivatives of distances that are 0 are 0."""
    apart = ops.expand_dims(x, -2) - ops.expand_dims(y, -3)
    square = ops.sum(ops.square(apart), axis=-1)
    return with_values(operation(x, y), zero_at_zero(ops.sqrt, square))


def slice_update(operation: Any, x: Tensor, start: Any, updates: Tensor) -> Tensor:
    """TensorFlow has no derivative of this."""
    if any(map(ops.is_tensor, keras.tree.flatten(start))) or None in x.shape:
        return operation(x, start, updates)
    first = np.clip(start, 0, np.subtract(x.shape, updates.shape))
    after = np.subtract(x.shape, updates.shape) - first
    sides = np.stack([first, after], axis=1).tolist()
    mask = np.pad(np.ones(updates.shape, bool), sides)
    return ops.where(mask, ops.pad(ops.cast(updates, x.dtype), sides), x)


def with_values(values: Tensor, formula: Tensor) -> Tensor:
    """Return the values of a framework with the derivatives of a formula.

    The difference of two numbers that are close is exact, and so is their sum.
    """
    exact = formula + ops.stop_gradient(values - formula)
    return ops.where(ops.isfinite(formula), exact, ops.stop_gradient(values))
