"""Between the mean of samples, which has no bias, and slopes, with little variance."""

from typing import Any, NamedTuple

from keras import ops

from keras_explainable import moments
from keras_explainable.types import Tensor


class Half(NamedTuple):
    """What part of the pairs of copies has found.

    Attributes:
        state: the moments of the pairs' mean gradients, each (B, ..., K).
        counts: how many pairs (B,).
        slopes: the maps by slopes (B, ..., K).
    """

    state: moments.State
    counts: Any
    slopes: Tensor

    @property
    def sampled(self) -> Tensor:
        """The mean of the samples' gradients (B, ..., K)."""
        return self.state[0]


def blended(first: Half, second: Half, whole: Half) -> Tensor:
    """Return ``alpha c A + (1 - alpha) S`` for maps A by slopes and S by samples.

        c = <S, A> / <A, A>,   alpha = v / (v + b)

    v is the squared error of S, from the spread of its samples; b that of c A. Both c
    and b are estimated by the slopes of one half against the samples of the other, as
    what they share of the noise would make A look better than it is.
    """
    pairs = ((first, second), (second, first))
    slopes, size = whole.slopes, _squared(whole.slopes)
    products = sum(_dot(a.sampled, b.slopes) for a, b in pairs) / 2
    scale = ops.where(size > 0, products / ops.where(size > 0, size, 1), 0)
    variance = _sum(moments.variance(whole.state, whole.counts))
    away = [
        _squared(a.sampled - _spread(scale, b.slopes) * b.slopes)
        - variance / _column(a.counts, variance)
        for a, b in pairs
    ]
    # A of all pairs varies half as much as that of one half.
    less = scale**2 * _squared(first.slopes - second.slopes) / 4
    bias = ops.maximum(sum(away) / 2 - less, 0)
    error = variance / _column(whole.counts, variance)
    total = error + bias
    alpha = ops.where(total > 0, error / ops.where(total > 0, total, 1), 0)
    share = _spread(alpha, slopes)
    return share * _spread(scale, slopes) * slopes + (1 - share) * whole.sampled


def _column(counts: Any, like: Tensor) -> Tensor:
    return moments.column(ops.maximum(counts, 1), like)


def _sum(maps: Tensor) -> Tensor:
    """Return the sum over each map (B, K)."""
    return ops.sum(maps, axis=tuple(range(1, len(maps.shape) - 1)))


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return _sum(one * other)


def _squared(maps: Tensor) -> Tensor:
    return _dot(maps, maps)


def _spread(values: Tensor, maps: Tensor) -> Tensor:
    """Return (B, K) in a shape that multiplies maps (B, ..., K)."""
    shape = (maps.shape[0], *(1,) * (len(maps.shape) - 2), maps.shape[-1])
    return ops.reshape(values, shape)
