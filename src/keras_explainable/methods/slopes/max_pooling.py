"""Max pooling under noise: how often each place of a window wins."""

import math
from collections.abc import Sequence
from typing import Any

from keras import layers, ops

from keras_explainable import backend
from keras_explainable.backend.padding import padding_amounts
from keras_explainable.methods.slopes.nonlinearities import Nonlinearity
from keras_explainable.network.graph import Step, by_symbol
from keras_explainable.types import Tensor

LOCAL = (layers.MaxPooling1D, layers.MaxPooling2D, layers.MaxPooling3D)
_GLOBAL = (
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
)


class Open(Nonlinearity):
    """A ReLU that max pooling alone reads: both are taken as one step.

    Nothing wins where it is closed: its slope is in the chances to win.
    """

    def prepared(self, *values: Tensor) -> Sequence[Tensor]:
        """Return nothing."""
        return ()

    def statistic_sums(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return nothing."""
        return []

    def linearized(
        self, slopes: Sequence[Tensor], *inputs: Tensor
    ) -> dict[int, Tensor]:
        """Return the values as they are."""
        return by_symbol(self.step.outputs, inputs[0])


class MaxPooling(Nonlinearity):
    """Max pooling with windows, of any number of axes, channels last."""

    def __init__(self, step: Step, limit: float | None):
        """Args: the step; where the ReLU ends that wrote what it reads, if one did."""
        super().__init__(step)
        self.limit = limit

    @property
    def recorded(self) -> Sequence[Any]:
        """What it reads and what it writes, the largest values."""
        return [*self.step.reads, self.step.outputs]

    def prepared(self, *values: Tensor) -> Sequence[Tensor]:
        """Return the winners."""
        return [backend.fused(self.winners)(*values)]

    def statistic_sums(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return how often each place in the windows wins."""
        won: list[Tensor] = backend.value_counts(weights, values[0], self._count)
        return won

    @property
    def _count(self) -> int:
        return math.prod(self.step.operation.pool_size)

    def passes(self, x: Tensor) -> Tensor:
        """Return ones where a ReLU wrote it that passes it, and zeros."""
        passes = ops.sign(x)  # Nothing is below zero behind a ReLU.
        if self.limit == math.inf:
            return passes
        return passes * ops.sign(ops.relu(self.limit - x))  # It may have been rounded.

    def linearized(
        self, slopes: Sequence[Tensor], *inputs: Tensor
    ) -> dict[int, Tensor]:
        """Return the mean over each window, weighted with the chances."""
        [x] = inputs
        factors = (ops.cast(each, x.dtype) for each in slopes)
        terms = map(ops.multiply, self.places(x, 0.0), factors)
        return by_symbol(self.step.outputs, self.sum([*terms]))

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
        return ops.where(self.passes(best) > 0, best, -1)

    def places(self, x: Tensor, fill: float) -> list[Tensor]:
        """Return what stands at each place of the windows, with ``fill`` beyond."""
        return windows(self.step.operation, x, fill)

    def sum(self, terms: list[Tensor]) -> Tensor:
        """Return the sum over each window."""
        return sum(terms[1:], terms[0])


class Counted(MaxPooling):
    """Max pooling of which the backend counts the winners as it finds them."""

    runs = True

    def run(self, weights: Tensor, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return what it writes, and how often each place in the windows wins."""
        layer = self.step.operation
        how = layer.pool_size, layer.strides, layer.padding
        ran: tuple[Tensor, list[Tensor]]
        ran = backend.max_pool_and_counts(weights, x, self.limit, *how)
        return ran


class GlobalMaxPooling(MaxPooling):
    """Max pooling with one window, all places of which are in one tensor."""

    def winners(self, x: Tensor, best: Tensor) -> Tensor:
        """Return what each of the places has of the largest value (R, H, ..., C)."""
        best = ops.reshape(best, (best.shape[0], *(1 for _ in self.axes), -1))
        shares = ops.cast(x == self.winning(best), "float32")
        number = ops.sum(shares, axis=self.axes, keepdims=True)
        return shares / ops.maximum(number, 1)

    statistic_sums = Nonlinearity.statistic_sums

    def places(self, x: Tensor, fill: float) -> list[Tensor]:
        """Return all places at once."""
        return [x]

    def sum(self, terms: list[Tensor]) -> Tensor:
        """Return the sum over all places."""
        return ops.sum(terms[0], axis=self.axes, keepdims=self.step.operation.keepdims)

    @property
    def axes(self) -> tuple[int, ...]:
        """All axes of places."""
        return tuple(range(1, len(self.step.reads[0].shape) - 1))


class Cleared(Nonlinearity):
    """Max pooling behind ReLUs with slopes of their own, as others read them, too.

    The winner is always one that has passed the ReLU. Its slope has that chance in it,
    so it is taken out here: the pair of both is exact.
    """

    def __init__(self, pooling: MaxPooling):
        super().__init__(pooling.step)
        self.pooling, self.runs = pooling, pooling.runs

    @property
    def recorded(self) -> Sequence[Any]:
        """What the pooling watches, what it reads first."""
        return self.pooling.recorded

    def prepared(self, *values: Tensor) -> Sequence[Tensor]:
        """Return what it reads, and what is prepared of the pooling."""
        return [values[0], *self.pooling.prepared(*values)]

    def statistic_sums(self, weights: Tensor, *values: Tensor) -> list[Tensor]:
        """Return how often ReLUs pass, and how often each place wins."""
        x, *prepared = values
        return super().statistic_sums(weights, x) + self.pooling.statistic_sums(
            weights, *prepared
        )

    def run(self, weights: Tensor, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return what the pooling writes, and what is told."""
        best, won = self.pooling.run(weights, x)
        still = ops.cast(ops.stop_gradient(x), "float32")
        return best, super().statistic_sums(weights, still) + won

    def statistics(self, *values: Tensor) -> Sequence[Tensor]:
        """Return where ReLUs pass."""
        return [self.pooling.passes(values[0])]

    def slopes(self, *means: Tensor) -> Sequence[Tensor]:
        """Return one over the ReLU's chance to pass, and the chances to win."""
        passed, *won = means
        ever = passed > 0
        return [ops.where(ever, 1 / ops.where(ever, passed, 1), 0), *won]

    def linearized(
        self, slopes: Sequence[Tensor], *inputs: Tensor
    ) -> dict[int, Tensor]:
        """Return the mean over each window of what is not yet weighted."""
        [x], (free, *won) = inputs, slopes
        return self.pooling.linearized(won, x * ops.cast(free, x.dtype))


def is_pooling(step: Step) -> bool:
    """Whether it is a max pooling layer of which the winners can be known.

    Channels last, and not one that rounds what it reads.
    """
    layer, kind = step.operation, type(step.operation)
    if kind not in (*LOCAL, *_GLOBAL) or layer.data_format != "channels_last":
        return False
    return [read.dtype for read in step.reads] == [step.outputs.dtype]


def pooling(step: Step, limit: float | None, *, alone: bool) -> Nonlinearity:
    """Return the nonlinearity of a max pooling layer.

    Args:
        step: for which ``is_pooling`` holds.
        limit: where the ReLU ends that wrote what it reads; None if none did.
        alone: whether nothing else reads that, so that these are ``Open``.
    """
    made = _kind(step.operation)(step, limit)
    return made if alone or limit is None else Cleared(made)


def _kind(layer: Any) -> type[MaxPooling]:
    if type(layer) in _GLOBAL:
        return GlobalMaxPooling
    return Counted if backend.max_pool_is_faster(layer) else MaxPooling


def windows(layer: Any, x: Tensor, fill: float) -> list[Tensor]:
    """Return what stands at each place of the windows, each (B, h, ..., C).

    Args:
        layer: of max pooling.
        x: (B, H, ..., C).
        fill: what stands beyond the edges.
    """
    sizes, size, steps = x.shape[1:-1], layer.pool_size, layer.strides
    around = padding_amounts(layer.padding, sizes, size, steps, [1] * len(sizes))
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
