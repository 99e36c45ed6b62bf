"""Max pooling under noise: how often each place of a window wins."""

import math
from collections.abc import Sequence
from typing import Any

from keras import layers, ops

from keras_explainable import backend
from keras_explainable.graph import Step, named
from keras_explainable.methods.gradient.bends import Bend
from keras_explainable.pads import pads
from keras_explainable.types import Tensor

_LOCAL = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)
_GLOBAL = (
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)


class MaxPooling(Bend):
    """Max pooling with windows, of any number of axes, channels last.

    Of values behind a ReLU the winner is always one that has passed it. The ReLU's own
    slope has that chance in it, so it is taken out here: the pair of both is exact.
    """

    def __init__(self, step: Step, limit: float | None):
        """Args: the step; where the ReLU ends that wrote what it reads, if one did."""
        super().__init__(step)
        self.limit = limit

    @property
    def watched(self) -> Sequence[Any]:
        """What it reads and what it writes, the largest values."""
        return [*self.step.reads(), self.step.outputs]

    def prepared(self, *values: Tensor) -> Sequence[Tensor]:
        """Return what it reads, and the winners."""
        return values[0], backend.fused(self.winners)(*values)

    def summed(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return how often each place in the windows wins, and how often ReLUs pass."""
        x, winners = values
        won: list[Tensor] = backend.counts(weights, winners, self._count)
        return won + self._passed(weights, x)

    @property
    def _count(self) -> int:
        return math.prod(self.step.operation.pool_size)

    def _passed(self, weights: Tensor, x: Tensor) -> list[Tensor]:
        return [] if self.limit is None else super().summed(weights, x)

    def told(self, *values: Tensor) -> Sequence[Tensor]:
        """Return where ReLUs pass."""
        return [self._passes(values[0])]

    def _passes(self, x: Tensor) -> Tensor:
        """Return ones where a ReLU wrote it that passes it, and zeros."""
        passes = ops.sign(x)  # Nothing is below zero behind a ReLU.
        if self.limit == math.inf:
            return passes
        return passes * ops.sign(ops.relu(self.limit - x))  # It may have been rounded.

    def slopes(self, *means: Tensor) -> Sequence[Tensor]:
        """Return the chance of each place to win, and one over the ReLU's to pass."""
        if self.limit is None:
            return means
        *won, passed = means
        ever = passed > 0
        return [*won, ops.where(ever, 1 / ops.where(ever, passed, 1), 0)]

    def straight(self, slopes: Sequence[Tensor], *inputs: Tensor) -> dict[int, Tensor]:
        """Return the mean over each window, weighted with the chances."""
        x, factors = inputs[0], [ops.cast(each, inputs[0].dtype) for each in slopes]
        if self.limit is not None:
            x = x * factors.pop()
        terms = map(ops.multiply, self.places(x, 0.0), factors)
        return named(self.step.outputs, self.sum([*terms]))

    def winners(self, x: Tensor, best: Tensor) -> Tensor:
        """Return the first place of each window with its largest value (R, h, ..., C).

        Zeros that are equal come from ReLUs that are closed, and have no winner.
        """
        best, places = self.winning(best), self.places(x, -math.inf)
        small = "uint8" if self._count < 256 else "int32"
        before, free = ops.zeros(best.shape, small), True
        for place in places:
            free = ops.logical_and(free, place != best)
            before = before + ops.cast(free, before.dtype)
        return before

    def winning(self, best: Tensor) -> Tensor:
        """Return the largest values, and what no value is where ReLUs are closed."""
        if self.limit is None:
            return best
        return ops.where(self._passes(best) > 0, best, -1)

    def places(self, x: Tensor, fill: float) -> list[Tensor]:
        """Return what stands at each place of the windows, with ``fill`` beyond."""
        return windows(self.step.operation, x, fill)

    def sum(self, terms: list[Tensor]) -> Tensor:
        """Return the sum over each window."""
        return sum(terms[1:], terms[0])


class Counted(MaxPooling):
    """Max pooling of which the backend finds and counts the winners by itself."""

    @property
    def watched(self) -> Sequence[Any]:
        """What it reads."""
        return self.step.reads()

    prepared = Bend.prepared

    def summed(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return how often each place in the windows wins, and how often ReLUs pass."""
        layer, [x] = self.step.operation, values
        how = layer.pool_size, layer.strides, layer.padding
        won: list[Tensor] = backend.wins(weights, x, self.limit, *how)
        return won + self._passed(weights, x)


class GlobalMaxPooling(MaxPooling):
    """Max pooling with one window, all places of which are in one tensor."""

    def winners(self, x: Tensor, best: Tensor) -> Tensor:
        """Return what each of the places has of the largest value (R, H, ..., C)."""
        best = ops.reshape(best, (best.shape[0], *(1 for _ in self.axes), -1))
        shares = ops.cast(x == self.winning(best), "float32")
        number = ops.sum(shares, axis=self.axes, keepdims=True)
        return shares / ops.maximum(number, 1)

    def summed(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return how much of the largest value each has, and how often ReLUs pass."""
        x, shares = values
        won: list[Tensor] = backend.weighted_sums(lambda x: [x], weights, [shares])
        return won + self._passed(weights, x)

    def places(self, x: Tensor, fill: float) -> list[Tensor]:
        """Return all places at once."""
        return [x]

    def sum(self, terms: list[Tensor]) -> Tensor:
        """Return the sum over all places."""
        return ops.sum(terms[0], axis=self.axes, keepdims=self.step.operation.keepdims)

    @property
    def axes(self) -> tuple[int, ...]:
        """All axes of places."""
        return tuple(range(1, len(self.step.reads()[0].shape) - 1))


def pooling(step: Step, limit: float | None) -> MaxPooling | None:
    """Return the bend of a max pooling layer, channels last; None for anything else.

    Nor for one that rounds what it reads: the winner is not to be known again.
    """
    layer, kind = step.operation, type(step.operation)
    if kind not in (*_LOCAL, *_GLOBAL) or layer.data_format != "channels_last":
        return None
    if [read.dtype for read in step.reads()] != [step.outputs.dtype]:
        return None
    if kind in _GLOBAL:
        return GlobalMaxPooling(step, limit)
    counted = backend.pools_faster(layer)
    return Counted(step, limit) if counted else MaxPooling(step, limit)


def windows(layer: Any, x: Tensor, fill: float) -> list[Tensor]:
    """Return what stands at each place of the windows, each (B, h, ..., C).

    Args:
        layer: of max pooling.
        x: (B, H, ..., C).
        fill: what stands beyond the edges.
    """
    sizes, size, steps = x.shape[1:-1], layer.pool_size, layer.strides
    around = pads(layer.padding, sizes, size, steps, [1] * len(sizes))
    if any(map(any, around)):
        x = ops.pad(x, [(0, 0), *around, (0, 0)], constant_values=fill)
    places = [x]
    for axis, (window, step) in enumerate(zip(size, steps, strict=True), start=1):
        places = [part for each in places for part in _along(each, axis, window, step)]
    return places


def _along(x: Tensor, axis: int, window: int, step: int) -> list[Tensor]:
    """Return what stands at each place of windows along one axis.

    Every ``step``-th value is cut out by a slice without steps and a reshape: one with
    steps takes many times as long on a CPU, and its gradient longer still.
    """
    count = (x.shape[axis] - window) // step + 1
    missing = max(count * step - x.shape[axis], 0)  # Of windows smaller than steps.
    if missing:
        x = ops.pad(x, [(0, missing if i == axis else 0) for i in range(len(x.shape))])
    last = x.shape[axis] - count * step
    begin, part = [0] * len(x.shape), [*x.shape]
    part[axis] = count * step
    apart = (*x.shape[:axis], count, step, *x.shape[axis + 1 :])
    places = []
    for place in range(window):
        begin[axis] = min(place, last)
        every = ops.unstack(
            ops.reshape(ops.slice(x, begin, part), apart), axis=axis + 1
        )
        places.append(every[place - begin[axis]])
    return places
