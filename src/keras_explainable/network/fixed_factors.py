"""Functions with the values of a step, in whose derivatives some factors are fixed.

Each is the implementation of a step. Around the point at hand, it is linear in those
arguments through which derivatives pass.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers, ops

from keras_explainable.network.graph import Step
from keras_explainable.network.mask_passing import MaskPassing, passes_mask
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.network.rules_of_two import with_values
from keras_explainable.types import Tensor

#: Distance from 0 within which the slope of a function is that at its ends.
_NEAR = 1e-4

#: Function of what a step calls, and of its arguments.
Function = Callable[..., Tensor]


class FixedFactors:
    """An implementation from this module, by which rewritten steps are recognized."""

    def __init__(self, rules: str, function: Function, step: Step):
        """Args: the name of the rules; the function of the step's callable."""
        run: Any = partial(function, step.implementation or step.operation)
        if passes_mask(step) and not keras.tree.is_nested(step.args[0]):
            run = MaskPassing(run)
        self.rules, self.run = rules, run

    def __call__(self, *args: Any, **options: Any) -> Tensor:
        """Return the values of the step."""
        return self.run(*args, **options)


def rules_of(step: Step) -> str | None:
    """Return the name of the rules by which a step was rewritten; None without."""
    return getattr(step.implementation, "rules", None)


def unchanged(called: Any, /, *args: Any, **options: Any) -> Tensor:
    """Return a value with its own derivatives."""
    return called(*args, **options)


def constant(called: Any, /, *args: Any, **options: Any) -> Tensor:
    """Return a value without derivatives."""
    return ops.stop_gradient(called(*args, **options))


def fixed_divisor(called: Any, x1: Any, x2: Any) -> Tensor:
    """Return a quotient without derivatives by the divisor."""
    return called(x1, ops.stop_gradient(x2))


def shared(count: int, called: Any, /, *args: Any, **options: Any) -> Tensor:
    """Return a product of ``count`` factors, each with a share of its derivatives."""
    value = called(*args, **options)
    return with_values(value, value / count)


def fixed_slope(called: Any, x: Tensor, /, *others: Any, **options: Any) -> Tensor:
    """Return f(x) with the derivative f(x) / x, the slope from the origin."""
    nearest = ops.cast(ops.where(x < 0, -_NEAR, _NEAR), x.dtype)
    beside = ops.where(ops.abs(x) < _NEAR, nearest, x)
    slope = ops.stop_gradient(called(beside, *others, **options) / beside)
    return with_values(called(x, *others, **options), slope * x)


def fixed_scale(operation: Any) -> Function | None:
    """Return a normalization that holds its scale fixed; None for other operations.

    y = b + (x - m) / s,   s fixed
    """
    kind, axis = keras_name(operation), getattr(operation, "axis", -1)
    epsilon = getattr(operation, "epsilon", None) or 1e-12
    if kind in ("LayerNormalization", "LayerNorm"):
        return partial(_scaled, partial(_of_variance, axis, epsilon))
    if kind in ("RMSNormalization", "RMSNorm", "UnitNormalization", "Normalize"):
        return partial(_scaled, partial(_of_squares, axis, epsilon))
    if isinstance(operation, layers.GroupNormalization):
        of_groups = partial(_of_groups, operation.groups, axis, epsilon)
        return partial(_scaled, of_groups)
    return None


#: Mean, which broadcasts with a tensor, and the logarithm of its scale.
Scale = tuple[Tensor, Tensor]


def _scaled(
    of: Callable[[Tensor], Scale],
    called: Any,
    x: Tensor,
    /,
    *others: Any,
    **options: Any,
) -> Tensor:
    """The derivative of the scale, which is among those of the step, is added again."""
    mean, log_scale = of(x)
    value = called(x, *others, **options)
    bias = called(mean + ops.zeros_like(x), *others, **options)
    change = ops.cast(log_scale - ops.stop_gradient(log_scale), value.dtype)
    return value + ops.stop_gradient(value - bias) * change


def _of_variance(axis: Any, epsilon: float, x: Tensor) -> Scale:
    mean = ops.mean(x, axis, keepdims=True)
    return mean, ops.log(ops.var(x, axis, keepdims=True) + epsilon) / 2


def _of_squares(axis: Any, epsilon: float, x: Tensor) -> Scale:
    squares = ops.mean(ops.square(x), axis, keepdims=True)
    return ops.zeros_like(squares), ops.log(squares + epsilon) / 2


def _of_groups(groups: int, axis: int, epsilon: float, x: Tensor) -> Scale:
    last = ops.moveaxis(x, axis, -1)
    channels = last.shape[-1]
    count = channels if groups == -1 else groups
    apart = ops.reshape(last, (ops.shape(x)[0], -1, count, channels // count))
    found = []
    for one in _of_variance((1, 3), epsilon, apart):
        each = ops.repeat(one[:, 0, :, 0], channels // count, axis=-1)
        inner = (1,) * (len(x.shape) - 2)
        each = ops.reshape(each, (ops.shape(x)[0], *inner, channels))
        found.append(ops.moveaxis(each, -1, axis))
    return found[0], found[1]
