"""Nonlinear steps of a network, and the straight ones that stand for them under noise.

The straight step has the slope that the nonlinear one has on average over noisy copies.
"""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import is_float
from keras_explainable.network import operation_kinds
from keras_explainable.network.graph import Step, by_symbol
from keras_explainable.types import Tensor

#: Activations that mix values with each other, or do nothing.
_NOT_ELEMENTWISE = {"linear", "softmax", "logsoftmax", "sparsemax", "glu"}

#: Names of layers, activations and operations that are done to each value by itself.
_ELEMENTWISE = {name.lower().replace("_", "") for name in dir(keras.activations)}
_ELEMENTWISE |= {"absolute", "clip", "cos", "erf", "exp", "expm1", "log", "log1p"}
_ELEMENTWISE |= {"maximum", "minimum", "power", "prelu", "reciprocal", "rsqrt", "sin"}
_ELEMENTWISE |= {"sqrt", "square", "arctan"}
_ELEMENTWISE -= _NOT_ELEMENTWISE

#: Those that have no value, or no slope, in some places, or that jump in between.
_DISCONTINUOUS = {"hardshrink", "log", "log1p", "power", "reciprocal", "rsqrt", "sqrt"}
_DISCONTINUOUS |= {"threshold"}

#: Of straight pieces: start, end and slope of those that are not flat.
_LINEAR_PIECES: dict[Any, list[tuple[float, float, float]]] = {
    keras.activations.leaky_relu: [(-math.inf, 0, 0.2), (0, math.inf, 1)],
    keras.activations.hard_tanh: [(-1, 1, 1)],
    keras.activations.hard_sigmoid: [(-3, 3, 1 / 6)],
    keras.activations.hard_shrink: [(-math.inf, -0.5, 1), (0.5, math.inf, 1)],
    keras.activations.soft_shrink: [(-math.inf, -0.5, 1), (0.5, math.inf, 1)],
}

#: Of the trapezoidal rule for a Gaussian, better here than Gauss and Hermite's: slopes
#: nonlinearity more than polynomials of so many places can.
_NODES = np.arange(-10, 11) * 0.45
_DENSITY = np.exp(-(_NODES**2) / 2)

#: Places, and weights of the values there in E[a(e) e].
_RULE = _NODES, _NODES * _DENSITY / _DENSITY.sum()


class Nonlinearity:
    """A nonlinear step of which nothing is known: straight at the mean of its input.

    Attributes:
        step: the step.
        runs: whether ``run`` is to be called in its place, which tells on the way.
    """

    runs = False

    def __init__(self, step: Step):
        self.step = step

    def run(self, weights: Tensor, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return what the step writes, and what ``statistic_sums`` would, of what it reads."""
        raise NotImplementedError(f"{type(self).__name__} does not run its step.")

    @property
    def recorded(self) -> Sequence[Any]:
        """The symbols of the values that tell the slopes."""
        return self.step.reads

    def prepared(self, *values: Tensor) -> Sequence[Tensor]:
        """Return what ``statistic_sums`` needs of the values of what is recorded, each (R, ...).

        Found in a step of its own, where ``statistic_sums`` would find it many times over.
        """
        return values

    def statistic_sums(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return the sums (groups, ...) over copies of what is told.

        Args:
            weights: of the copies (R / groups, groups).
            values: as prepared, floats in float32.
        """
        sums: list[Tensor] = backend.weighted_sums(self.statistics, weights, values)
        return sums

    def statistics(self, *values: Tensor) -> Sequence[Tensor]:
        """Return what tells the slopes by its mean over noisy copies, each (R, ...).

        Args:
            values: as prepared, floats in float32.
        """
        return values

    def slopes(self, *means: Tensor) -> Sequence[Tensor]:
        """Return the slopes, given the means (B, ...) of what is told."""
        return means

    def linearized(
        self, slopes: Sequence[Tensor], *inputs: Tensor
    ) -> dict[int, Tensor]:
        """Return what the straight step writes, by the ``id`` of its symbol."""
        moved = {
            id(symbol): _moved(mean, x)
            for symbol, mean, x in zip(self.step.reads, slopes, inputs, strict=True)
        }
        return self.step.run(moved)


def _moved(mean: Tensor, x: Tensor) -> Tensor:
    """Return the mean in value, and x in its derivatives; x if it has none."""
    if not is_float(x):
        return x
    return ops.cast(mean, x.dtype) + x - ops.stop_gradient(x)


class Elementwise(Nonlinearity):
    """A step that is done to each value by itself; these are taken for Gaussian."""

    def statistic_sums(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return the sums of the values and of their squares."""
        sums: list[Tensor] = backend.power_sums(weights, values[0])
        return sums

    def slopes(self, *means: Tensor) -> Sequence[Tensor]:
        """Return E[a'(z)]: in closed form for some, otherwise by quadrature."""
        mean, square = means
        deviation = ops.sqrt(ops.maximum(square - ops.square(mean), 0))
        if _function(self.step.operation) is keras.activations.gelu:
            return [_slope_of_gelu(mean, deviation)]
        pieces = _pieces(self.step.operation)
        if pieces is None:
            return [self._quadrature(mean, deviation)]
        inside = [
            slope * (_above(start, mean, deviation) - _above(end, mean, deviation))
            for start, end, slope in pieces
        ]
        return [sum(inside[1:], inside[0])]

    def _quadrature(self, mean: Tensor, deviation: Tensor) -> Tensor:
        """Return E[a(z) e] / s for z = m + s e, which is E[a'(z)] (Stein, 1981).

        Values have no jumps where slopes have them, so that few places are enough.
        """
        nodes, weights = (ops.convert_to_tensor(x, "float32") for x in _RULE)

        def added(i: Any, total: Tensor) -> Tensor:
            return total + weights[i] * self._value(mean + nodes[i] * deviation)

        total = ops.fori_loop(0, len(_NODES), added, ops.zeros_like(mean))
        certain = self._derivative(mean)
        wide = deviation > 0
        return ops.where(wide, total / ops.where(wide, deviation, 1), certain)

    def _value(self, z: Tensor) -> Tensor:
        """Return a(z), of activations in the precision of z."""
        operation, [source] = self.step.operation, self.step.reads
        if isinstance(operation, layers.Activation):
            return operation.activation(z)
        return ops.cast(self.step.run({id(source): z})[id(self.step.outputs)], z.dtype)

    def _derivative(self, z: Tensor) -> Tensor:
        outputs, pullback, _ = backend.vjp(lambda x: (self._value(x), ()), z)
        return pullback(ops.ones_like(outputs))

    def linearized(
        self, slopes: Sequence[Tensor], *inputs: Tensor
    ) -> dict[int, Tensor]:
        """Return the values times their slopes."""
        [slope], [x] = slopes, inputs
        return by_symbol(self.step.outputs, x * ops.cast(slope, x.dtype))


class Broken(Elementwise):
    """One whose values tell its slopes only within pieces, and not where it jumps."""

    statistic_sums = Nonlinearity.statistic_sums

    def statistics(self, *values: Tensor) -> Sequence[Tensor]:
        """Return the slopes themselves."""
        return [self._derivative(values[0])]

    def slopes(self, *means: Tensor) -> Sequence[Tensor]:
        """Return their means."""
        return means


def elementwise(step: Step) -> Elementwise | None:
    """Return the nonlinearity of a step that is known to be done to each value by itself."""
    name = str(getattr(_function(step.operation), "__name__", ""))
    name = name.lower().replace("_", "")
    alone = [read.shape for read in step.reads] == [step.outputs.shape]
    if name not in _ELEMENTWISE or not alone:
        return None
    broken = name in _DISCONTINUOUS and _pieces(step.operation) is None
    return Broken(step) if broken else Elementwise(step)


def _function(operation: Any) -> Any:
    """Return the activation of a layer of it, or the class of any other operation."""
    kind = type(operation)
    return operation.activation if kind is layers.Activation else kind


def relu_max_value(operation: Any) -> float | None:
    """Return where a plain ReLU ends, also one of ``keras.ops``; None for others."""
    kind, ends = type(operation), {"Relu": math.inf, "Relu6": 6.0}
    if kind.__name__ in ends and kind.__module__.startswith("keras."):
        return ends[kind.__name__]
    return operation_kinds.relu_max_value(operation)


def _pieces(operation: Any) -> list[tuple[float, float, float]] | None:
    """Return the straight pieces of an activation that has no others."""
    limit = relu_max_value(operation)
    if limit is not None:
        return [(0, limit, 1)]
    if isinstance(operation, layers.LeakyReLU):
        return [(-math.inf, 0, float(operation.negative_slope)), (0, math.inf, 1)]
    if type(operation) is layers.ReLU:
        start = float(operation.threshold)
        end = math.inf if operation.max_value is None else operation.max_value
        return [(-math.inf, start, float(operation.negative_slope)), (start, end, 1)]
    if type(operation).__name__ == "Threshold":
        return [(operation.threshold, math.inf, 1)]
    return _LINEAR_PIECES.get(_function(operation))


def _above(value: float, mean: Tensor, deviation: Tensor) -> Tensor | float:
    """Return the probability that a Gaussian is above a value."""
    if math.isinf(value):
        return float(value < 0)
    distance = mean - value
    safe = ops.where(deviation > 0, deviation, 1)
    share = (1 + ops.erf(distance / (safe * math.sqrt(2)))) / 2
    return ops.where(deviation > 0, share, ops.cast(distance > 0, share.dtype))


def _slope_of_gelu(mean: Tensor, deviation: Tensor) -> Tensor:
    """Return E[P(z) + z p(z)], P and p of the standard normal distribution."""
    wide = ops.rsqrt(1 + ops.square(deviation))
    z = mean * wide
    density = ops.exp(-ops.square(z) / 2) / math.sqrt(2 * math.pi)
    return (1 + ops.erf(z / math.sqrt(2))) / 2 + z * density * ops.square(wide)
