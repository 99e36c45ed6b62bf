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

    def told(self, *values: Tensor) -> Sequence[Tensor]:
        """Return for each place in the windows where it wins; and where ReLUs pass."""
        x, winners = values
        told = self.chances(winners)
        passed = [] if self.limit is None else [self._passes(x)]
        return [*told, *(ops.cast(each, "uint8") for each in passed)]

    @property
    def _count(self) -> int:
        return math.prod(self.step.operation.pool_size)

    def _passes(self, x: Tensor) -> Tensor:
        endless = self.limit == math.inf
        return x > 0 if endless else ops.logical_and(x > 0, x < self.limit)

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
        layer, none = self.step.operation, self._count
        if backend.pools_faster(layer):
            found = backend.winners(x, layer.pool_size, layer.strides, layer.padding)
            if self.limit is None:
                return found
            return ops.where(self._passes(best), found, none)
        best, places = self.winning(best), self.places(x, -math.inf)
        before, free = ops.zeros(best.shape, "uint8" if none < 256 else "int32"), True
        for place in places:
            free = ops.logical_and(free, place != best)
            before = before + ops.cast(free, before.dtype)
        return before

    def winning(self, best: Tensor) -> Tensor:
        """Return the largest values, and what no value is where ReLUs are closed."""
        return best if self.limit is None else ops.where(self._passes(best), best, -1)

    def chances(self, winners: Tensor) -> list[Tensor]:
        """Return for each place where it wins."""
        apart = (winners ^ place for place in range(self._count))
        # Not by ==, which takes twenty times as long in PyTorch.
        return [ops.cast(1 - ops.minimum(each, 1), "uint8") for each in apart]

    def places(self, x: Tensor, fill: float) -> list[Tensor]:
        """Return what stands at each place of the windows, with ``fill`` beyond."""
        return windows(self.step.operation, x, fill)

    def sum(self, terms: list[Tensor]) -> Tensor:
        """Return the sum over each window."""
        return sum(terms[1:], terms[0])


class GlobalMaxPooling(MaxPooling):
    """Max pooling with one window, all places of which are in one tensor."""

    def winners(self, x: Tensor, best: Tensor) -> Tensor:
        """Return what each of the places has of the largest value (R, H, ..., C)."""
        best = ops.reshape(best, (best.shape[0], *(1 for _ in self.axes), -1))
        shares = ops.cast(x == self.winning(best), "float32")
        number = ops.sum(shares, axis=self.axes, keepdims=True)
        return shares / ops.maximum(number, 1)

    def chances(self, winners: Tensor) -> list[Tensor]:
        """Return them, all places at once."""
        return [winners]

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
    return MaxPooling(step, limit) if kind in _LOCAL else GlobalMaxPooling(step, limit)


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
