"""How steep a nonlinear step is on average, while its input varies."""

import itertools
import math
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.graph import Step
from keras_explainable.operations import relu_limit
from keras_explainable.pads import pads
from keras_explainable.types import Tensor

#: Activations that mix values with each other, or do nothing.
_MIXING = {"linear", "softmax", "logsoftmax", "sparsemax", "glu"}

#: Names of layers, activations and operations that are done to each value by itself.
ELEMENTWISE = {name.lower().replace("_", "") for name in dir(keras.activations)}
ELEMENTWISE |= {"prelu", "square", "absolute", "exp", "log", "sqrt", "sin", "cos"}
ELEMENTWISE -= _MIXING

#: Of the quadrature by Gauss and Hermite: exact for polynomials up to degree 29.
NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
WEIGHTS = _WEIGHTS / _WEIGHTS.sum()


def is_elementwise(operation: Any) -> bool:
    """Whether an operation is known to be done to each value by itself."""
    activation = getattr(operation, "activation", None)
    kind = type(operation)
    function = activation if kind is layers.Activation else kind
    return str(getattr(function, "__name__", "")).lower().replace("_", "") in (
        ELEMENTWISE
    )


def is_max_pooling(operation: Any) -> bool:
    """Whether an operation is a max pooling layer of pictures, channels last."""
    known = type(operation) is layers.MaxPooling2D
    return known and operation.data_format == "channels_last"


def expected_slope(step: Step, mean: Tensor, variance: Tensor) -> Tensor:
    """Return E[a'(z)] of an elementwise step for Gaussian z, value by value.

    Closed forms for ReLUs; otherwise quadrature of the derivative.
    """
    deviation = ops.sqrt(ops.maximum(variance, 0))
    bend = _relu(step.operation)
    if bend is None:
        return _quadrature(step, mean, deviation)
    below, start, end = bend
    inside = _above(mean - start, deviation)
    if below:  # Linear on its lower side, too.
        inside = inside + below * (1 - inside)
    if end < math.inf:
        inside = inside - _above(mean - end, deviation)
    return inside


def _relu(operation: Any) -> tuple[float, float, float] | None:
    """Return the slope below, where the ReLU starts and ends; None for others."""
    limit = relu_limit(operation)
    if limit is None and type(operation).__name__ in ("Relu", "Relu6"):
        limit = 6.0 if type(operation).__name__ == "Relu6" else math.inf
    if limit is not None:
        return 0.0, 0.0, limit
    if getattr(operation, "activation", None) is keras.activations.leaky_relu:
        return 0.2, 0.0, math.inf  # Keras' default.
    if isinstance(operation, layers.LeakyReLU):
        return float(operation.negative_slope), 0.0, math.inf
    if type(operation) is layers.ReLU and not operation.threshold:
        end = operation.max_value
        return float(operation.negative_slope), 0.0, math.inf if end is None else end
    return None


def _above(distance: Tensor, deviation: Tensor) -> Tensor:
    """Return the probability that a Gaussian is above a value so far below its mean."""
    safe = ops.where(deviation > 0, deviation, 1)
    share = (1 + ops.erf(distance / (safe * math.sqrt(2)))) / 2
    return ops.where(deviation > 0, share, ops.cast(distance > 0, share.dtype))


def _quadrature(step: Step, mean: Tensor, deviation: Tensor) -> Tensor:
    total = ops.zeros_like(mean)
    for node, weight in zip(NODES.tolist(), WEIGHTS.tolist(), strict=True):
        total = total + weight * _derivative(step, mean + node * deviation)
    return total


def _derivative(step: Step, z: Tensor) -> Tensor:
    source = step.reads()[0]

    def run(value: Tensor) -> tuple[Tensor, tuple[()]]:
        return step.run({id(source): value})[id(step.outputs)], ()

    outputs, pullback, _ = backend.vjp(run, z)
    return pullback(ops.ones_like(outputs))


def windows(layer: Any, x: Tensor, fill: float) -> Tensor:
    """Return what stands at each place of the pooling windows (B, h, w, C, places)."""
    size, steps = layer.pool_size, layer.strides
    around = pads(layer.padding, x.shape[1:-1], size, steps, (1, 1))
    x = ops.pad(x, [(0, 0), *around, (0, 0)], constant_values=fill)
    counts = [
        (length - window) // step + 1
        for length, window, step in zip(x.shape[1:-1], size, steps, strict=True)
    ]
    ends = [(count - 1) * step + 1 for count, step in zip(counts, steps, strict=True)]
    places = [
        x[:, i : i + ends[0] : steps[0], j : j + ends[1] : steps[1]]
        for i, j in itertools.product(*map(range, size))
    ]
    return ops.stack(places, axis=-1)


def wins(layer: Any, x: Tensor) -> Tensor:
    """Return where each pooling window has its only largest value (B, h, w, C, places).

    Values that are equal to the last bit come from ReLUs that are closed, behind which
    derivatives are 0: nobody wins then.
    """
    places = windows(layer, x, -3e38)
    best = places == ops.max(places, axis=-1, keepdims=True)
    alone = ops.sum(ops.cast(best, x.dtype), axis=-1, keepdims=True) == 1
    return ops.cast(ops.logical_and(best, alone), x.dtype)
