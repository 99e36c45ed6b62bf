"""Kinds of layers: linear ones, identities, ReLUs and batch norms."""

import inspect
import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
TRANSPOSED = (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
LINEAR = (layers.Dense, *CONVOLUTIONS, *DEPTHWISE, *SEPARABLE, *TRANSPOSED)

#: Modules of the operations whose computation is known.
_KNOWN = ("keras.", "keras_explainable.")

#: Package of models that only refuse text when they are called.
_TASKS = "keras_hub."

#: Layers that do nothing at inference.
IDENTITIES = (
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
)

#: Operations that divide their first argument by their second one.
QUOTIENTS = {"Divide", "TrueDivide"}

#: What divides by a value: normalizations that are made of operations.
_INVERSE = {"Rsqrt", "Reciprocal"}

#: Operations and layers that only move values, leave some out, or repeat them.
MOVES = {
    "ArraySplit", "BroadcastTo", "Concatenate", "Copy", "CropImages", "Cropping1D",
    "Cropping2D", "Cropping3D", "DepthToSpace", "Dsplit", "Dstack", "ExpandDims",
    "Flatten", "Flip", "Fliplr", "Flipud", "GetItem", "Hsplit", "Hstack", "Identity",
    "Moveaxis", "Permute", "Ravel", "Repeat", "RepeatVector", "Reshape", "Roll",
    "Rot90", "Slice", "SpaceToDepth", "Split", "Squeeze", "Stack", "Swapaxes", "Take",
    "Tile", "Transpose", "Unstack", "View", "Vsplit", "Vstack",
}  # fmt: skip


def keras_name(operation: Any) -> str:
    """Return the name of an operation's class; "" if that is the user's."""
    kind = type(operation)
    known = kind.__module__.startswith(_KNOWN)
    return kind.__name__ if known else ""


def computes_as(operation: Any, *kinds: Any) -> bool:
    """Return whether an operation is of one of the classes, and computes as it does.

    A class of the user's that is made from one of Keras' may compute something else.
    """
    own = type(operation)
    return any(
        isinstance(operation, kind) and own.call is kind.call and _called_as(own, kind)
        for kind in kinds
    )


def _called_as(own: Any, kind: Any) -> bool:
    call = own.__call__
    return call is kind.__call__ or bool(call.__module__.startswith(_TASKS))


def setting(operation: Any, name: str, default: Any = None) -> Any:
    """Return a setting that a class of Keras' gives an operation, or the default.

    Other layers of the user's may give a name such as ``kernel_size`` or
    ``data_format`` to anything.
    """
    classes = (
        kind for kind in type(operation).__mro__ if kind.__module__.startswith(_KNOWN)
    )
    known = any(name in inspect.signature(kind).parameters for kind in classes)
    return getattr(operation, name, default) if known else default


def runs_code_of_keras(operation: Any) -> bool:
    """Return whether what an operation does when it is called is Keras' own."""
    code = getattr(type(operation), "call", None)  # A plain function has none.
    return getattr(code, "__module__", "").startswith(_KNOWN)


def is_inverse(step: Any) -> bool:
    """Return whether a step divides a constant by what it reads, or by a power of it.

    Args:
        step: Step of a graph.
    """
    name, constants = keras_name(step.operation), step.args[-1:]
    if name == "Power":
        return all(isinstance(x, int | float) and x < 0 for x in constants)
    return name in _INVERSE or (name in QUOTIENTS and _is_divisor_only(step))


def _is_divisor_only(step: Any) -> bool:
    dividend, divisor = ([*map(id, keras.tree.flatten(x))] for x in step.args)
    reads = {*map(id, step.reads)}
    return bool(reads.intersection(divisor)) and not reads.intersection(dividend)


def is_relu(operation: Any) -> bool:
    """Return whether it is a ReLU of any kind: a layer, or a function in a graph."""
    return isinstance(operation, layers.ReLU) or keras_name(operation) == "ReLU"


def relu_max_value(activation: Any) -> float | None:
    """Return the upper limit, maybe infinity, of a plain ReLU; None for others."""
    layer = type(activation) is layers.Activation
    function = activation.activation if layer else activation
    if function is keras.activations.relu:
        return math.inf
    if function is keras.activations.relu6:
        return 6.0
    if keras_name(activation) != "ReLU":  # A layer, or the function in a graph.
        return None
    if activation.negative_slope or activation.threshold:
        return None
    return math.inf if activation.max_value is None else float(activation.max_value)


def relu_limit(activation: Any) -> float | None:
    """Return the upper limit of a plain ReLU if it is 6 or infinity; else None."""
    limit = relu_max_value(activation)
    return limit if limit in (6.0, math.inf) else None


def batchnorm_arrays(layer: layers.BatchNormalization) -> list[np.ndarray]:
    """Return scale and shift (channels,) of a batch norm at inference, in float64."""
    variance = ops.convert_to_numpy(layer.moving_variance).astype("float64")
    scale = 1 / np.sqrt(variance + layer.epsilon)
    if layer.gamma is not None:
        scale = scale * ops.convert_to_numpy(layer.gamma)
    shift = -ops.convert_to_numpy(layer.moving_mean) * scale
    if layer.beta is not None:
        shift = shift + ops.convert_to_numpy(layer.beta)
    return [scale, shift]
