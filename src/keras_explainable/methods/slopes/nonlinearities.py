"""The nonlinear steps of a network and their linearized forms under noise.

The slope of a linearized step is the mean slope of the nonlinear one over noisy copies.
"""

import math
from collections.abc import Hashable, Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import is_float
from keras_explainable.network import operation_kinds
from keras_explainable.network.graph import Step, by_symbol
from keras_explainable.network.mask_passing import MaskPassing
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.types import Tensor

#: Activations that mix values with each other, and the identity.
_NOT_ELEMENTWISE = {"linear", "softmax", "logsoftmax", "sparsemax", "glu"}

#: Names of layers, activations and operations that are elementwise.
_ELEMENTWISE = {name.lower().replace("_", "") for name in dir(keras.activations)}
_ELEMENTWISE |= {"absolute", "clip", "cos", "erf", "exp", "expm1", "log", "log1p"}
_ELEMENTWISE |= {"maximum", "minimum", "power", "prelu", "reciprocal", "rsqrt", "sin"}
_ELEMENTWISE |= {"sqrt", "square", "arctan"}
_ELEMENTWISE -= _NOT_ELEMENTWISE

#: Those that are undefined, have no slope, or jump at some points.
_DISCONTINUOUS = {"hardshrink", "log", "log1p", "power", "reciprocal", "rsqrt", "sqrt"}
_DISCONTINUOUS |= {"threshold"}

#: Piecewise linear activations: start, end and slope of each piece that is not flat.
_LINEAR_PIECES: dict[Any, list[tuple[float, float, float]]] = {
    keras.activations.leaky_relu: [(-math.inf, 0, 0.2), (0, math.inf, 1)],
    keras.activations.hard_tanh: [(-1, 1, 1)],
    keras.activations.hard_sigmoid: [(-3, 3, 1 / 6)],
    keras.activations.hard_shrink: [(-math.inf, -0.5, 1), (0.5, math.inf, 1)],
    keras.activations.soft_shrink: [(-math.inf, -0.5, 1), (0.5, math.inf, 1)],
}

#: The trapezoidal rule for a Gaussian. It is more accurate here than Gauss-Hermite
#: quadrature, as slopes vary more sharply than a polynomial with as many nodes can.
_NODES = np.arange(-10, 11) * 0.45
_DENSITY = np.exp(-(_NODES**2) / 2)

#: Nodes, and the weights of the values there in E[a(e) e].
_QUADRATURE_RULE = _NODES, _NODES * _DENSITY / _DENSITY.sum()


class Nonlinearity:
    """A nonlinear step that is linearized at its mean input: nothing more is known.

    Attributes:
        step: The nonlinear step of the graph.
        recorded: The symbols of the values that determine the slopes.
        runs_step: Whether ``run`` replaces the step and yields its statistics, too.
    """

    runs_step = False

    def __init__(self, step: Step):
        self.step = step
        self.recorded: Sequence[Any] = step.reads

    def run(self, weights: Tensor, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the step's output for ``x``, and its ``statistic_sums``."""
        raise NotImplementedError(f"{type(self).__name__} does not run its step.")

    def prepared(self, *values: Tensor) -> Sequence[Tensor]:
        """Return what ``statistic_sums`` needs of the recorded values, each (R, ...).

        It is computed separately, as ``statistic_sums`` would compute it many times.
        """
        return values

    def statistic_sums(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return the weighted sums (groups, ...) of the statistics over the copies.

        Args:
            weights: Weights of the copies (R / groups, groups).
            values: The prepared values; floats are float32.
        """
        return backend.weighted_sums(self.statistics, weights, values)

    def statistics(self, *values: Tensor) -> Sequence[Tensor]:
        """Return the statistics whose means determine the slopes, each (R, ...).

        Args:
            values: The prepared values; floats are float32.
        """
        return values

    def rule(self) -> Hashable | None:
        """Return a key of ``slopes`` if that is elementwise, else None.

        Nonlinearities with the same key have the same function.
        """
        return None

    def slopes(self, *means: Tensor) -> Sequence[Tensor]:
        """Return the slopes, given the means (B, ...) of the statistics."""
        return means

    def linearized(self, slopes: Sequence[Tensor], *inputs: Tensor) -> Any:
        """Return the linearized step's outputs, in the structure of the step's."""
        values = [*map(_replace_value, slopes, inputs)]
        return self.step.reading(by_symbol(self.step.reads, values)).call()


def _replace_value(mean: Tensor, x: Tensor) -> Tensor:
    """Return the mean with the derivatives and the mask of x; x if it is no float."""
    if not is_float(x):
        return x
    mean = ops.cast(mean, x.dtype)
    return MaskPassing(lambda x: mean + x - ops.stop_gradient(x))(x)


class Elementwise(Nonlinearity):
    """An elementwise step, whose input values are assumed to be Gaussian."""

    def statistic_sums(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return the sums of the values and of their squares."""
        return backend.power_sums(weights, values[0])

    def rule(self) -> Hashable | None:
        """Return the pieces of a piecewise linear step, or an activation's function."""
        operation = self.step.operation
        if pieces := _linear_pieces(operation):
            return tuple(pieces)
        return _function(operation) if type(operation) is layers.Activation else None

    def slopes(self, *means: Tensor) -> Sequence[Tensor]:
        """Return E[a'(z)]: in closed form for some, otherwise by quadrature."""
        mean, square = means
        deviation = ops.sqrt(ops.maximum(square - ops.square(mean), 0))
        if _function(self.step.operation) is keras.activations.gelu:
            return [_gelu_mean_slope(mean, deviation)]
        pieces = _linear_pieces(self.step.operation)
        if pieces is None:
            return [self._quadrature(mean, deviation)]
        inside = [
            slope * (_tail(start, mean, deviation) - _tail(end, mean, deviation))
            for start, end, slope in pieces
        ]
        return [sum(inside[1:], inside[0])]

    def _quadrature(self, mean: Tensor, deviation: Tensor) -> Tensor:
        """Return E[a(z) e] / s for z = m + s e, which is E[a'(z)] (Stein, 1981).

        Values do not jump where slopes do, so that few nodes are enough.
        """
        nodes, weights = (ops.convert_to_tensor(x, "float32") for x in _QUADRATURE_RULE)

        def add_node(i: Any, total: Tensor) -> Tensor:
            return total + weights[i] * self._value(mean + nodes[i] * deviation)

        total = ops.fori_loop(0, len(_NODES), add_node, ops.zeros_like(mean))
        at_mean = self._derivative(mean)
        varies = deviation > 0
        return ops.where(varies, total / ops.where(varies, deviation, 1), at_mean)

    def _value(self, z: Tensor) -> Tensor:
        """Return a(z), computed in the precision of z by an activation."""
        operation, [source] = self.step.operation, self.step.reads
        if isinstance(operation, layers.Activation):
            return operation.activation(z)
        return ops.cast(self.step.run({id(source): z})[id(self.step.outputs)], z.dtype)

    def _derivative(self, z: Tensor) -> Tensor:
        outputs, pullback, _ = backend.vjp(lambda x: (self._value(x), ()), z)
        return pullback(ops.ones_like(outputs))

    def linearized(self, slopes: Sequence[Tensor], *inputs: Tensor) -> Any:
        """Return the input times its slopes."""
        [slope], [x] = slopes, inputs
        return x * ops.cast(slope, x.dtype)


class DiscontinuousElementwise(Elementwise):
    """An elementwise step with jumps or poles, whose slopes are averaged directly.

    Stein's identity, which gives slopes from values, holds only between them.
    """

    statistic_sums, slopes = Nonlinearity.statistic_sums, Nonlinearity.slopes
    rule = Nonlinearity.rule

    def statistics(self, *values: Tensor) -> Sequence[Tensor]:
        """Return the slope of each copy."""
        return [self._derivative(values[0])]


def elementwise(step: Step) -> Elementwise | None:
    """Return the nonlinearity of an elementwise step; None for any other."""
    function = _function(step.operation)
    known = str(getattr(function, "__module__", "")).startswith("keras.")
    name = function.__name__.lower().replace("_", "") if known else ""
    written = keras.tree.flatten(step.outputs)
    unary = [read.shape for read in step.reads] == [each.shape for each in written]
    if name not in _ELEMENTWISE or not unary:
        return None
    jumps = name in _DISCONTINUOUS and _linear_pieces(step.operation) is None
    return DiscontinuousElementwise(step) if jumps else Elementwise(step)


def _function(operation: Any) -> Any:
    """Return the function of an activation layer, or the class of other operations."""
    kind = type(operation)
    return operation.activation if kind is layers.Activation else kind


def relu_max_value(operation: Any) -> float | None:
    """Return the maximum of a plain ReLU, also of ``keras.ops``; None for others."""
    maxima, name = {"Relu": math.inf, "Relu6": 6.0}, keras_name(operation)
    if name in maxima:
        return maxima[name]
    return operation_kinds.relu_max_value(operation)


def _linear_pieces(operation: Any) -> list[tuple[float, float, float]] | None:
    """Return the pieces of a piecewise linear activation; None for any other."""
    relu_max = relu_max_value(operation)
    if relu_max is not None:
        return [(0, relu_max, 1)]
    if isinstance(operation, layers.LeakyReLU):
        return [(-math.inf, 0, float(operation.negative_slope)), (0, math.inf, 1)]
    if keras_name(operation) == "ReLU":  # A layer, or the function in a graph.
        start = float(operation.threshold)
        end = math.inf if operation.max_value is None else operation.max_value
        return [(-math.inf, start, float(operation.negative_slope)), (start, end, 1)]
    if keras_name(operation) == "Threshold":
        return [(operation.threshold, math.inf, 1)]
    return _LINEAR_PIECES.get(_function(operation))


def _tail(value: float, mean: Tensor, deviation: Tensor) -> Tensor | float:
    """Return the tail probability: that a Gaussian is above a value."""
    if math.isinf(value):
        return float(value < 0)
    distance = mean - value
    divisor = ops.where(deviation > 0, deviation, 1)
    chance = (1 + ops.erf(distance / (divisor * math.sqrt(2)))) / 2
    return ops.where(deviation > 0, chance, ops.cast(distance > 0, chance.dtype))


def _gelu_mean_slope(mean: Tensor, deviation: Tensor) -> Tensor:
    """Return E[P(z) + z p(z)], P and p of the standard normal distribution."""
    scale = ops.rsqrt(1 + ops.square(deviation))
    z = mean * scale
    density = ops.exp(-ops.square(z) / 2) / math.sqrt(2 * math.pi)
    return (1 + ops.erf(z / math.sqrt(2))) / 2 + z * density * ops.square(scale)
