"""Kinds of layers: linear ones, identities, ReLUs and batch norms."""

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


def keras_name(operation: Any) -> str:
    """Return the name of an operation's class; "" if that is the user's."""
    kind = type(operation)
    known = kind.__module__.startswith(("keras.", "keras_explainable."))
    return kind.__name__ if known else ""


def relu_max_value(activation: Any) -> float | None:
    """Return the upper limit, maybe infinity, of a plain ReLU; None for others."""
    layer = type(activation) is layers.Activation
    function = activation.activation if layer else activation
    if function is keras.activations.relu:
        return math.inf
    if function is keras.activations.relu6:
        return 6.0
    if type(activation) is not layers.ReLU:
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
