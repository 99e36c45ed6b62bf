"""Max pooling under noise: how often each position of a window is the argmax."""

import math
import operator
from collections.abc import Sequence
from functools import reduce
from typing import Any

from keras import layers, ops

from keras_explainable import backend
from keras_explainable.backend.padding import padding_amounts
from keras_explainable.methods.slopes.nonlinearities import Nonlinearity
from keras_explainable.network.graph import Step
from keras_explainable.types import Tensor

LOCAL = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)
_GLOBAL = (
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)


class MergedReLU(Nonlinearity):
    """A ReLU whose output only max pooling reads: both are linearized as one step.

    No position is the argmax where the ReLU is closed, so that the ReLU's slope is in
    the argmax counts of the pooling.
    """

    def prepared(self, *values: Tensor) -> Sequence[Tensor]:
        """Return nothing."""
        return ()

    def statistic_sums(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return nothing."""
        return []

    def linearized(self, slopes: Sequence[Tensor], *inputs: Tensor) -> Any:
        """Return the input unchanged."""
        return inputs[0]


class MaxPooling(Nonlinearity):
    """Max pooling with windows along any number of axes, channels last.

    Attributes:
        relu_max: The maximum of the ReLU before it; None if there is no ReLU.
        recorded: The symbols of its input and of its output, the largest values.
        axes: All spatial axes.
    """

    def __init__(self, step: Step, relu_max: float | None):
        super().__init__(step)
        self.relu_max, self.recorded = relu_max, [*step.reads, step.outputs]
        self.axes = tuple(range(1, len(step.reads[0].shape) - 1))

    def prepared(self, *values: Tensor) -> Sequence[Tensor]:
        """Return the argmax of each window."""
        return [backend.fused(self.argmax)(*values)]

    def statistic_sums(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return the argmax counts of each position in the windows."""
        return backend.value_counts(weights, values[0], self._count)

    @property
    def _count(self) -> int:
        return math.prod(self.step.operation.pool_size)

    def relu_slopes(self, x: Tensor) -> Tensor:
        """Return 1 where the ReLU that wrote ``x`` is open, 0 where it is closed."""
        slopes = ops.sign(x)  # A ReLU writes nothing below zero.
        if self.relu_max == math.inf:
            return slopes
        return slopes * ops.sign(ops.relu(self.relu_max - x))  # x may be rounded up.

    def linearized(self, slopes: Sequence[Tensor], *inputs: Tensor) -> Any:
        """Return the sum over each window, weighted by the argmax frequencies."""
        [x] = inputs
        factors = (ops.cast(each, x.dtype) for each in slopes)
        values = window_values(self.step.operation, x, 0.0)
        return reduce(operator.add, [*map(ops.multiply, values, factors)])

    def argmax(self, x: Tensor, largest: Tensor) -> Tensor:
        """Return the first position of each window's largest value (R, h, ..., C).

        Equal zeros come from closed ReLUs; where all are, the number of positions.
        """
        largest = self.open_values(largest)
        dtype = "uint8" if self._count < 256 else "int32"
        position, before = ops.zeros(largest.shape, dtype), True
        for value in window_values(self.step.operation, x, -math.inf):
            before = ops.logical_and(before, value != largest)
            position = position + ops.cast(before, position.dtype)
        return position

    def open_values(self, largest: Tensor) -> Tensor:
        """Return the largest values; -1, which no value equals, at closed ReLUs."""
        if self.relu_max is None:
            return largest
        return ops.where(self.relu_slopes(largest) > 0, largest, -1)


class BackendMaxPooling(MaxPooling):
    """Max pooling whose argmax the backend counts while it pools."""

    runs_step = True

    def run(self, weights: Tensor, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the pooled values, and the argmax counts of each position."""
        layer = self.step.operation
        options = layer.pool_size, layer.strides, layer.padding
        return backend.max_pool_and_counts(weights, x, self.relu_max, *options)


class GlobalMaxPooling(MaxPooling):
    """Max pooling with a single window, whose positions are all in one tensor."""

    def argmax(self, x: Tensor, largest: Tensor) -> Tensor:
        """Return each position's share in the largest value (R, H, ..., C)."""
        largest = ops.reshape(largest, (largest.shape[0], *(1 for _ in self.axes), -1))
        ties = ops.cast(x == self.open_values(largest), "float32")
        number = ops.sum(ties, axis=self.axes, keepdims=True)
        return ties / ops.maximum(number, 1)

    statistic_sums = Nonlinearity.statistic_sums

    def linearized(self, slopes: Sequence[Tensor], *inputs: Tensor) -> Any:
        """Return the sum over all positions, weighted by their mean shares."""
        [share], [x] = slopes, inputs
        product = x * ops.cast(share, x.dtype)
        return ops.sum(product, axis=self.axes, keepdims=self.step.operation.keepdims)


class PoolingAfterSharedReLU(Nonlinearity):
    """Max pooling after ReLUs that are linearized separately, as other steps read them.

    The argmax is always at an open ReLU, whose chance to be open is in the ReLU's mean
    slope as well. It is divided out here, so that both steps together are exact.
    """

    def __init__(self, pooling: MaxPooling):
        super().__init__(pooling.step)
        self.pooling, self.runs_step = pooling, pooling.runs_step
        self.recorded = pooling.recorded

    def prepared(self, *values: Tensor) -> Sequence[Tensor]:
        """Return the input, and what the pooling prepares."""
        return [values[0], *self.pooling.prepared(*values)]

    def statistic_sums(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return how often ReLUs are open, and the argmax counts of the pooling."""
        x, *prepared = values
        sums = super().statistic_sums(weights, x)
        return sums + self.pooling.statistic_sums(weights, *prepared)

    def run(self, weights: Tensor, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the pooled values, and the ``statistic_sums``."""
        largest, counts = self.pooling.run(weights, x)
        values = ops.cast(ops.stop_gradient(x), "float32")
        return largest, super().statistic_sums(weights, values) + counts

    def statistics(self, *values: Tensor) -> Sequence[Tensor]:
        """Return where ReLUs are open."""
        return [self.pooling.relu_slopes(values[0])]

    def slopes(self, *means: Tensor) -> Sequence[Tensor]:
        """Return one over how often the ReLU is open, and the argmax frequencies."""
        open_share, *frequencies = means
        ever = open_share > 0
        inverse = ops.where(ever, 1 / ops.where(ever, open_share, 1), 0)
        return [inverse, *frequencies]

    def linearized(self, slopes: Sequence[Tensor], *inputs: Tensor) -> Any:
        """Return the pooling's weighted sum, without the ReLU's slope in its input."""
        [x], (inverse, *frequencies) = inputs, slopes
        return self.pooling.linearized(frequencies, x * ops.cast(inverse, x.dtype))


def is_max_pooling(step: Step) -> bool:
    """Whether it is a max pooling layer whose argmax can be found.

    Channels must be last, and the layer must not round its input.
    """
    layer, kind = step.operation, type(step.operation)
    if kind not in (*LOCAL, *_GLOBAL) or layer.data_format != "channels_last":
        return False
    return [read.dtype for read in step.reads] == [step.outputs.dtype]


def pooling_nonlinearity(
    step: Step, relu_max: float | None, *, merged: bool
) -> Nonlinearity:
    """Return the nonlinearity of a max pooling layer.

    Args:
        step: A step that ``is_max_pooling``.
        relu_max: The maximum of the ReLUs that wrote its input; None for other inputs.
        merged: Whether these are ``MergedReLU``, as nothing else reads them.
    """
    pooling = _kind(step.operation)(step, relu_max)
    return pooling if merged or relu_max is None else PoolingAfterSharedReLU(pooling)


def _kind(layer: Any) -> type[MaxPooling]:
    if type(layer) in _GLOBAL:
        return GlobalMaxPooling
    return BackendMaxPooling if backend.max_pool_is_faster(layer) else MaxPooling


def window_values(layer: Any, x: Tensor, fill: float) -> list[Tensor]:
    """Return the values at each position of the windows, each (B, h, ..., C).

    Args:
        layer: A max pooling layer.
        x: The layer's input (B, H, ..., C).
        fill: The value of the padding.
    """
    sizes, size, steps = x.shape[1:-1], layer.pool_size, layer.strides
    padding = padding_amounts(layer.padding, sizes, size, steps, [1] * len(sizes))
    if any(map(any, padding)):
        x = ops.pad(x, [(0, 0), *padding, (0, 0)], constant_values=fill)
    values = [x]
    for axis, (window, step) in enumerate(zip(size, steps, strict=True), start=1):
        values = [part for each in values for part in _along(each, axis, window, step)]
    return values


def _along(x: Tensor, axis: int, window: int, step: int) -> list[Tensor]:
    """Return the values at each position of windows along one axis.

    Every ``step``-th value is taken by a contiguous slice and a reshape: a strided
    slice takes many times as long on a CPU, and its gradient even longer.
    """
    count = (x.shape[axis] - window) // step + 1
    missing = max(count * step - x.shape[axis], 0)  # If windows are smaller than steps.
    if missing:
        x = ops.pad(x, [(0, missing if i == axis else 0) for i in range(len(x.shape))])
    last = x.shape[axis] - count * step
    begin, part = [0] * len(x.shape), [*x.shape]
    part[axis] = count * step
    split = (*x.shape[:axis], count, step, *x.shape[axis + 1 :])
    values = []
    for position in range(window):
        begin[axis] = min(position, last)
        phases = ops.reshape(ops.slice(x, begin, part), split)
        values.append(ops.unstack(phases, axis=axis + 1)[position - begin[axis]])
    return values
