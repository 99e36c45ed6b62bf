"""Rules: functions with the values of a framework's, and other derivatives.

Where a derivative does not exist, the same is taken on every backend: at a kink or tie,
that of most backends and papers; 0 where the slope is infinite.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers, ops

from keras_explainable.common.structures import is_float
from keras_explainable.network import affine_transform, rules_of_images, rules_of_two
from keras_explainable.network.graph import Step, shallow_copy
from keras_explainable.network.rules_of_two import zero_at_zero
from keras_explainable.types import Tensor

#: Function of a step's arguments, given its operation first.
Rule = Callable[..., Any]


def _absolute(operation: Any, x: Tensor) -> Tensor:
    """The derivative at 0 is 0."""
    return x * ops.stop_gradient(ops.sign(x))


def _celu(operation: Any, x: Tensor) -> Tensor:
    """It is smooth at 0, with a derivative of 1."""
    alpha = getattr(operation, "alpha", 1.0)
    below = alpha * ops.expm1(ops.where(x < 0, x, 0) / alpha)
    return ops.where(x < 0, below, x)


def _selu(operation: Any, x: Tensor) -> Tensor:
    """The derivative at 0 is that below 0, as for a leaky ReLU."""
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    below = alpha * ops.expm1(ops.where(x > 0, 0, x))
    return scale * ops.where(x > 0, x, below)


def _leaky_relu(operation: Any, x: Tensor) -> Tensor:
    """The derivative at 0 is the slope below 0."""
    return ops.where(x > 0, x, x * getattr(operation, "negative_slope", 0.2))


def _relu_layer(layer: layers.ReLU, x: Tensor) -> Tensor:
    """The derivative at the threshold is 0, and at the largest value 1."""
    below = layer.negative_slope * (x - layer.threshold)
    formula = ops.where(x < layer.threshold, below, layer.threshold)
    formula = ops.where(x > layer.threshold, x, formula)
    if layer.max_value is not None:
        formula = ops.where(x > layer.max_value, layer.max_value, formula)
    return rules_of_two.with_values(layer(x), formula)


def _sparse_sigmoid(operation: Any, x: Tensor) -> Tensor:
    """The derivatives at both ends are 0."""
    inside = ops.logical_and(x > -1, x < 1)
    return ops.where(inside, (x + 1) / 2, ops.cast(x > 0, x.dtype))


def _hard_tanh(operation: Any, x: Tensor) -> Tensor:
    """The derivatives at both ends are 1."""
    return _clipped(x, -1, 1)


def _clip(operation: Any, x: Tensor) -> Tensor:
    """The derivative is 1 within the limits and at them."""
    return _clipped(x, operation.x_min, operation.x_max)


def _clipped(x: Tensor, low: Any, high: Any) -> Tensor:
    low, high = ops.cast(low, x.dtype), ops.cast(high, x.dtype)
    return ops.where(x < low, low, ops.where(x > high, high, x))


def _maximum(operation: Any, x1: Any, x2: Any) -> Tensor:
    """Of two equal values, the first has the derivative."""
    return ops.where(ops.logical_or(x1 >= x2, ops.isnan(x1)), x1, x2)


def _minimum(operation: Any, x1: Any, x2: Any) -> Tensor:
    """Of two equal values, the first has the derivative."""
    return ops.where(ops.logical_or(x1 <= x2, ops.isnan(x1)), x1, x2)


def _fmax(operation: Any, x1: Any, x2: Any) -> Tensor:
    """Of two equal values, the first has the derivative."""
    return ops.where(ops.logical_or(x1 >= x2, ops.isnan(x2)), x1, x2)


def _fmin(operation: Any, x1: Any, x2: Any) -> Tensor:
    """Of two equal values, the first has the derivative."""
    return ops.where(ops.logical_or(x1 <= x2, ops.isnan(x2)), x1, x2)


def _std(operation: Any, x: Tensor) -> Tensor:
    """The derivatives by equal values are 0."""
    return zero_at_zero(ops.sqrt, ops.var(x, operation.axis, operation.keepdims))


def _nanstd(operation: Any, x: Tensor) -> Tensor:
    """The derivatives by equal values are 0."""
    return zero_at_zero(ops.sqrt, ops.nanvar(x, operation.axis, operation.keepdims))


def _norm(operation: Any, x: Tensor) -> Tensor:
    """The derivatives by values that are all 0 are 0."""
    axis = operation.axis
    is_zero = ops.all(x == 0, axis=axis, keepdims=True)
    value = operation(ops.where(is_zero, 1, x))
    return ops.where(ops.reshape(is_zero, ops.shape(value)), 0, value)


def _unit_normalization(operation: Any, x: Tensor) -> Tensor:
    """The derivatives by values that are all 0 are 0."""
    is_zero = ops.all(x == 0, axis=operation.axis, keepdims=True)
    return ops.where(is_zero, 0, operation(ops.where(is_zero, 1, x)))


def _constant(operation: Any, *args: Any) -> Any:
    """A function of steps has no slope, and PyTorch refuses to differentiate it."""
    return ops.stop_gradient(operation(*args))


def _heaviside(operation: Any, x1: Tensor, x2: Any) -> Tensor:
    """The value at 0 is that of the second."""
    value = ops.stop_gradient(operation(x1, x2))
    return ops.where(ops.equal(x1, 0), x2, value)


def _cumprod(operation: Any, x: Tensor) -> Tensor:
    """Products of products, so that no derivative is divided by a zero."""
    x = ops.moveaxis(ops.cast(x, operation.dtype or x.dtype), operation.axis, 0)
    shift = 1
    while shift < x.shape[0]:
        shifted = ops.concatenate([ops.ones_like(x[:shift]), x[:-shift]])
        x, shift = x * shifted, 2 * shift
    return ops.moveaxis(x, 0, operation.axis)


def _nancumprod(operation: Any, x: Tensor) -> Tensor:
    """As a product of products, without what is no number."""
    return _cumprod(operation, ops.where(ops.isnan(x), 1, x))


def _max_pool_3d(operation: Any, x: Tensor) -> Tensor:
    """The first of equal values in a window has the derivative.

    It pools over two axes, and then over the third.
    """
    depth, *size = _triple(operation.pool_size)
    strides = _triple(operation.strides or operation.pool_size)
    padding = operation.padding
    _, d, h, w, c = ops.shape(x)
    planes = ops.reshape(x, (-1, h, w, c))
    planes = ops.max_pool(planes, size, strides[1:], padding, "channels_last")
    h, w = planes.shape[1:3]
    columns = ops.reshape(planes, (-1, d, h * w, c))
    columns = ops.max_pool(
        columns, (depth, 1), (strides[0], 1), padding, "channels_last"
    )
    return ops.reshape(columns, (-1, columns.shape[1], h, w, c))


def _triple(size: Any) -> tuple[int, ...]:
    return (size,) * 3 if isinstance(size, int) else tuple(size)


def _top_k(operation: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """Of equal values, the first have the derivative. Indices are the framework's."""
    order = ops.argsort(-x, axis=-1)[..., : operation.k]
    return ops.take_along_axis(x, order, axis=-1), operation(x)[1]


_ALL = ("tensorflow", "jax", "torch")

#: By name: the backends whose own derivatives differ, and the rule.
_RULES: dict[str, tuple[tuple[str, ...], Rule]] = {
    "abs": (("jax",), _absolute),
    "absolute": (("jax",), _absolute),
    "add": (("tensorflow",), rules_of_two.add),
    "affinetransform": (("tensorflow",), affine_transform.transformed),
    "arctan2": (("tensorflow", "jax"), rules_of_two.arctan2),
    "cbrt": (_ALL, zero_at_zero),
    "cdist": (_ALL, rules_of_two.cdist),
    "celu": (("tensorflow",), _celu),
    "clip": (("jax", "torch"), _clip),
    "cumprod": (("tensorflow",), _cumprod),
    "fabs": (("jax",), _absolute),
    "dot": (_ALL, rules_of_two.dot),
    "fmod": (("tensorflow",), rules_of_two.fmod),
    "floordivide": (("torch",), _constant),
    "fmax": (("jax",), _fmax),
    "fmin": (("jax",), _fmin),
    "hardtanh": (("torch",), _hard_tanh),
    "heaviside": (("torch",), _heaviside),
    "hsvtorgb": (("tensorflow",), rules_of_images.hsv_to_rgb),
    "hypot": (_ALL, rules_of_two.hypot),
    "ldexp": (("tensorflow", "jax"), rules_of_two.ldexp),
    "leakyrelu": (("jax",), _leaky_relu),
    "logaddexp": (("tensorflow",), rules_of_two.logaddexp),
    "logaddexp2": (("tensorflow",), rules_of_two.logaddexp2),
    "maximum": (("jax", "torch"), _maximum),
    "maxpool": (("tensorflow",), _max_pool_3d),
    "maxpooling3d": (("tensorflow",), _max_pool_3d),
    "minimum": (("jax", "torch"), _minimum),
    "nancumprod": (("tensorflow",), _nancumprod),
    "nanstd": (_ALL, _nanstd),
    "norm": (("tensorflow", "jax"), _norm),
    "normalize": (_ALL, _unit_normalization),
    "perspectivetransform": (("tensorflow",), rules_of_images.perspective_transform),
    "power": (("tensorflow", "jax"), rules_of_two.power),
    "relu": (("jax",), _relu_layer),
    "selu": (("tensorflow",), _selu),
    "sinc": (("tensorflow",), zero_at_zero),
    "sliceupdate": (("tensorflow",), rules_of_two.slice_update),
    "sparsesigmoid": (("jax",), _sparse_sigmoid),
    "sqrt": (_ALL, zero_at_zero),
    "std": (("tensorflow", "jax"), _std),
    "topk": (("torch",), _top_k),
    "unitnormalization": (_ALL, _unit_normalization),
}

#: Layers whose rules are not for the functions of the same name.
_LAYERS = {"dot": layers.Dot, "relu": layers.ReLU}


def merging(layer: keras.Layer, rule: Rule) -> keras.Layer:
    """Return a copy of a layer that merges a list of tensors, two by two, by a rule."""

    def merge(inputs: Any) -> Tensor:
        return layer._apply_merge_op_and_or_mask(partial(rule, layer), inputs)

    copy = shallow_copy(layer)
    copy.__dict__["_merge_function"] = merge  # Not tracked like an attribute.
    return copy


def function_of(operation: Any) -> Any:
    """Return the function of an activation layer, or the class of other operations."""
    is_activation = type(operation) is layers.Activation
    return operation.activation if is_activation else type(operation)


def rule_of(function: Any) -> Rule | None:
    """Return the rule for a function or class of Keras' on this backend, if any."""
    if not str(getattr(function, "__module__", "")).startswith("keras."):
        return None
    name = str(getattr(function, "__name__", "")).lower().replace("_", "")
    if _LAYERS.get(name, function) is not function:
        return None
    backends, rule = _RULES.get(name, ((), None))
    return rule if keras.backend.backend() in backends else None


def applies(rule: Rule, step: Step) -> bool:
    """Return whether the rule knows these arguments."""
    operation, symbols = step.operation, keras.tree.flatten(step.outputs)
    plain = not isinstance(operation, keras.Layer) or step.is_plain()
    if not plain or not step.reads or not is_float(symbols[0]):
        return False
    shape = step.reads[0].shape
    if rule is rules_of_two.add:
        return any(map(_has_one_number, step.reads[1:]))
    if rule is rules_of_two.dot:
        return bool(operation.normalize)
    if rule is _relu_layer:
        return operation.max_value not in (None, 6) or bool(operation.threshold)
    if rule is _norm:
        return operation.ord in (None, 2, "fro")
    if rule is _unit_normalization:  # Otherwise, the slope at 0 is no infinite one.
        return (getattr(operation, "epsilon", None) or 0) < 1e-6
    if rule in (_cumprod, _nancumprod):
        return None not in shape[1:] and operation.axis not in (None, 0, -len(shape))
    if rule is _max_pool_3d:
        channels_last = operation.data_format in (None, "channels_last")
        return len(shape) == 5 and channels_last and None not in shape[1:]
    return True


def _has_one_number(symbol: Any) -> bool:
    """Return whether each row of a tensor (B, 1, ...) is one number."""
    rows, *others = symbol.shape or (1,)
    return rows is None and bool(others) and {*others} == {1}
