"""Nonlinear steps that mix the values of an axis: normalizations and softmax."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from keras_explainable.methods.slopes.nonlinearities import Nonlinearity
from keras_explainable.network.graph import Step
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.types import Tensor


class Normalization(Nonlinearity):
    """Layer normalisation, whose Jacobian removes the mean and the direction of x.

        dy/dx = gamma s (1 - mean - n <n, .>),   n = s (x - mean of x)

    It is taken with the means of s and n over noisy copies. RMS normalisation subtracts
    no means.
    """

    def statistics(self, *values: Tensor) -> Sequence[Tensor]:
        """Return s, one over the standard deviation, and n, the normalised values."""
        centred = self._centred(values[0])
        scale = ops.rsqrt(self._mean(ops.square(centred)) + self.step.operation.epsilon)
        return scale, scale * centred

    def linearized(self, slopes: Sequence[Tensor], *inputs: Tensor) -> Any:
        """Return the Jacobian's product with the input."""
        [x] = inputs
        scale, direction = (ops.cast(slope, x.dtype) for slope in slopes)
        outputs = self._centred(x) - direction * self._mean(direction * x)
        return outputs * scale * self._gamma(x)

    @property
    def _axes(self) -> list[int]:
        axis, rank = self.step.operation.axis, len(self.step.reads[0].shape)
        return sorted(each % rank for each in keras.tree.flatten(axis))

    def _centred(self, x: Tensor) -> Tensor:
        return x if _is_rms(self.step.operation) else x - self._mean(x)

    def _mean(self, x: Tensor) -> Tensor:
        return ops.mean(x, axis=self._axes, keepdims=True)

    def _gamma(self, x: Tensor) -> Any:
        layer = self.step.operation
        gamma = layer.scale if _is_rms(layer) else layer.gamma
        if gamma is None:
            return 1
        shape = [n if i in self._axes else 1 for i, n in enumerate(x.shape)]
        return ops.cast(ops.reshape(gamma, shape), x.dtype)


class Softmax(Nonlinearity):
    """Softmax, dp/dx = p (1 - <p, .>), with the mean of p over noisy copies.

    If p is nearly one-hot in each copy, its derivatives almost vanish, even where the
    mean of p is far from one-hot because the copies choose different entries. The
    factor (1 - mean of <p, p>) / (1 - <mean of p, mean of p>) gives the Jacobian the
    mean trace of the copies' Jacobians.
    """

    def __init__(self, step: Step):
        super().__init__(step)
        self.recorded = [step.outputs]

    def statistics(self, *values: Tensor) -> Sequence[Tensor]:
        """Return p and <p, p>."""
        return values[0], self._product(values[0], values[0])

    def slopes(self, *means: Tensor) -> Sequence[Tensor]:
        """Return the mean of p and the factor."""
        p, square = means
        trace = 1 - self._product(p, p)
        positive = trace > 0
        return p, ops.where(positive, (1 - square) / ops.where(positive, trace, 1), 0)

    def linearized(self, slopes: Sequence[Tensor], *inputs: Tensor) -> Any:
        """Return the Jacobian's product with the input."""
        [x] = inputs
        p, factor = (ops.cast(each, x.dtype) for each in slopes)
        return factor * p * (x - self._product(p, x))

    def _product(self, one: Tensor, other: Tensor) -> Tensor:
        axis = getattr(self.step.operation, "axis", -1)
        return ops.sum(one * other, axis=axis, keepdims=True)


def normalization_or_softmax(step: Step) -> Nonlinearity | None:
    """Return the nonlinearity of a normalization or softmax; None for other steps."""
    operation, kind = step.operation, type(step.operation)
    if len(step.reads) != 1:
        return None
    if _is_rms(operation) or kind is layers.LayerNormalization:
        return None if getattr(operation, "rms_scaling", False) else Normalization(step)
    is_softmax = getattr(operation, "activation", None) is keras.activations.softmax
    if is_softmax and kind is layers.Activation:
        return Softmax(step)
    return Softmax(step) if keras_name(operation) == "Softmax" else None


def _is_rms(operation: Any) -> bool:
    return type(operation) is layers.RMSNormalization
