"""Max pooling under noise: how often each place of a window wins."""

import itertools
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

    def told(self, *inputs: Tensor) -> Sequence[Tensor]:
        """Return for each place in the windows where it wins; and where ReLUs pass."""
        [x] = inputs
        won = self.wins(x)
        if self.limit is None:
            return won
        return *won, ops.cast(ops.logical_and(x > 0, x < self.limit), x.dtype)

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

    def wins(self, x: Tensor) -> list[Tensor]:
        """Return where each place has the only largest value of its window: 0 or 1.

        Values that are equal to the last bit come from ReLUs that are closed, behind
        which derivatives are 0: nobody wins then.
        """
        places = self.places(x, -3e38)
        best = places[0]
        for place in places[1:]:
            best = ops.maximum(best, place)
        equal = [ops.cast(place == best, x.dtype) for place in places]
        alone = ops.cast(self.sum(equal) == 1, x.dtype)
        return [each * alone for each in equal]

    def places(self, x: Tensor, fill: float) -> list[Tensor]:
        """Return what stands at each place of the windows, with ``fill`` beyond."""
        return windows(self.step.operation, x, fill)

    def sum(self, terms: list[Tensor]) -> Tensor:
        """Return the sum over each window."""
        return sum(terms[1:], terms[0])


class GlobalMaxPooling(MaxPooling):
    """Max pooling with one window, all places of which are in one tensor."""

    def wins(self, x: Tensor) -> list[Tensor]:
        """Return where the only largest value is."""
        equal = ops.cast(x == ops.max(x, axis=self.axes, keepdims=True), x.dtype)
        alone = ops.cast(ops.sum(equal, axis=self.axes, keepdims=True) == 1, x.dtype)
        return [equal * alone]

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
