"""Max pooling under noise: how often each place of a window wins."""

import itertools
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
        """Return the sums of what is told, row by row: XLA is faster so on a CPU."""

        def added(row: Any, sums: list[Tensor]) -> list[Tensor]:
            new = self.told(*(each[row][None] for each in values))
            return [x + weights[row] * y for x, y in zip(sums, new, strict=True)]

        none = [ops.zeros_like(x) for x in self.told(*(each[:1] for each in values))]
        sums: list[Tensor] = ops.fori_loop(0, weights.shape[0], added, none)
        return sums

    def _passes(self, x: Tensor) -> Tensor:
        return ops.logical_and(x > 0, x < self.limit)

    def slopes(self, *means: Tensor) -> Sequence[Tensor]:
        """Return the chance to win of each place, if the ReLU passes it."""
        if self.limit is None:
            return means
        *won, passed = means
        chances = self.places(passed, 0.0)
        return [
            each / ops.maximum(chance, each + 1e-12)
            for each, chance in zip(won, chances, strict=True)
        ]

    def straight(self, slopes: Sequence[Tensor], *inputs: Tensor) -> dict[int, Tensor]:
        """Return the mean over each window, weighted with the chances."""
        places = self.places(inputs[0], 0.0)
        terms = [
            x * ops.cast(slope, x.dtype)
            for x, slope in zip(places, slopes, strict=True)
        ]
        return named(self.step.outputs, self.sum(terms))

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
    spans = [
        (length - window) // step * step + 1
        for length, window, step in zip(x.shape[1:-1], size, steps, strict=True)
    ]
    return [
        x[(slice(None), *map(_every, starts, spans, steps))]
        for starts in itertools.product(*map(range, size))
    ]


def _every(start: int, span: int, step: int) -> slice:
    return slice(start, start + span, step)
