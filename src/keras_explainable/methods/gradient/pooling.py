"""Max pooling under noise: how often each place of a window wins."""

import math
from collections.abc import Sequence
from typing import Any

from keras import layers, ops

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

    def told(self, *values: Tensor) -> Sequence[Tensor]:
        """Return for each place in the windows where it wins; and where ReLUs pass."""
        x, best = values[0], self.spread(values[1])
        won = [place == best for place in self.places(x, -math.inf)]
        if self.limit is None:
            return [ops.cast(each, x.dtype) for each in won]
        # Zeros that are equal come from ReLUs that are closed, and have no winner.
        won = [ops.logical_and(each, self._passes(best)) for each in won]
        return [ops.cast(each, x.dtype) for each in (*won, self._passes(x))]

    def sums(self, weights: Tensor, *values: Tensor) -> Sequence[Tensor]:
        """Return the sums, some rows at a time: XLA is faster so on a CPU."""
        groups = weights.shape[1]

        def added(row: Any, sums: list[Tensor]) -> list[Tensor]:
            new = super(MaxPooling, self).sums(
                weights[row][None], *(x[row] for x in parts)
            )
            return [*map(ops.add, sums, new)]

        parts = [ops.reshape(x, (-1, groups, *x.shape[1:])) for x in values]
        none = [ops.zeros_like(x) for x in self.told(*(x[0] for x in parts))]
        sums: list[Tensor] = ops.fori_loop(0, weights.shape[0], added, none)
        return sums

    def _passes(self, x: Tensor) -> Tensor:
        return ops.logical_and(x > 0, x < self.limit)

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

    def spread(self, best: Tensor) -> Tensor:
        """Return the largest values in a shape to compare places with."""
        return best

    def places(self, x: Tensor, fill: float) -> list[Tensor]:
        """Return what stands at each place of the windows, with ``fill`` beyond."""
        return windows(self.step.operation, x, fill)

    def sum(self, terms: list[Tensor]) -> Tensor:
        """Return the sum over each window."""
        return sum(terms[1:], terms[0])


class GlobalMaxPooling(MaxPooling):
    """Max pooling with one window, all places of which are in one tensor."""

    def spread(self, best: Tensor) -> Tensor:
        """Return the largest values with all axes."""
        return ops.reshape(best, (best.shape[0], *(1 for _ in self.axes), -1))

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
    """Return the bend of a max pooling layer, channels last; None for anything else."""
    kind = type(step.operation)
    if getattr(step.operation, "data_format", None) != "channels_last":
        return None
    if kind in _LOCAL:
        return MaxPooling(step, limit)
    return GlobalMaxPooling(step, limit) if kind in _GLOBAL else None


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

    Every ``step``-th value is cut out by one reshape: a slice with steps takes many
    times as long on a CPU, and its gradient longer still.
    """
    length = x.shape[axis]
    parts, count = -(-length // step), (length - window) // step + 1
    padding = [(0, 0)] * len(x.shape)
    padding[axis] = 0, parts * step - length
    shape = (*x.shape[:axis], parts, step, *x.shape[axis + 1 :])
    every = ops.unstack(ops.reshape(ops.pad(x, padding), shape), axis=axis + 1)
    return [
        _cut(every[place % step], axis, place // step, count) for place in range(window)
    ]


def _cut(x: Tensor, axis: int, start: int, count: int) -> Tensor:
    begin, shape = [0] * len(x.shape), list(x.shape)
    begin[axis], shape[axis] = start, count
    return ops.slice(x, begin, shape)
