"""Combine maps by samples, which have no bias, and by slopes, with little variance."""

from typing import NamedTuple

from keras import ops

from keras_explainable.sampling.welford import broadcast_rows
from keras_explainable.types import Tensor


class Combination(NamedTuple):
    """Combined maps, and what is known of their error.

    Attributes:
        maps: The maps (1, ..., K).
        squared_errors: Estimates of their squared errors (1, K), never below the
            variance between the halves.
        sample_part: What the variance of the samples adds to these (1, K).
        slope_part: What the variance of the slopes adds to these (1, K).
    """

    maps: Tensor
    squared_errors: Tensor
    sample_part: Tensor
    slope_part: Tensor


def combine_by_error(
    samples: Tensor, squares: Tensor, slopes: Tensor, counts: Tensor
) -> Combination:
    """Return ``a A + s S`` for maps A by slopes and S by samples, nearest to the limit.

        <A, A> a + <A, S> s = <A, M>,   <S, A> a + <S, S> s = <S, M>

    The limit M, the expectation of S, is not known, but S has no bias. Products of one
    half of the pairs with S of the other half estimate those with M: noise that A and S
    share would make both look more accurate than they are. The weights are clipped to
    a >= 0 and 0 <= s <= 1. Slopes that seem to be of no use leave S as it is: a smaller
    multiple might have less error, but the map of a noisy image would vanish.

    The weights fit the estimated products better than the true ones. With an estimate
    of <A, M> that is wrong by e, the error found is too small by e^2 / <A, A>, and the
    true one too large by as much: twice the variance of e is added.

    Args:
        samples: S of each half of the pairs (2, ..., K).
        squares: Mean squared norms of the pairs' gradients (2, K).
        slopes: A of each half (2, ..., K); their mean is used.
        counts: The number of pairs with gradients in each half (2,).
    """
    n = ops.sum(counts)
    shares = counts / n
    slope_map = ops.mean(slopes, axis=0, keepdims=True)
    sample_map = _weighted_mean(shares, samples)
    slope_norm, product = dot(slope_map, slope_map), dot(slope_map, sample_map)
    sample_norm = dot(sample_map, sample_map)
    mean_square = _weighted_mean(shares, squares)
    noise = ops.maximum(mean_square - sample_norm, 0) / (n - 1)
    limit_norm = ops.maximum(sample_norm - noise, 0)  # <S, M> = <M, M>
    slope_limit = dot(samples, ops.flip(slopes, axis=0))
    slope_limit = ops.mean(slope_limit, axis=0, keepdims=True)
    s = slope_norm * limit_norm - product * slope_limit
    s = ops.clip(_divide(s, slope_norm * sample_norm - product**2), 0, 1)
    a = _divide(slope_limit - s * product, slope_norm)
    s, a = ops.where(a > 0, s, 1), ops.maximum(a, 0)
    error = a**2 * slope_norm + 2 * a * s * product + s**2 * sample_norm
    error = error - 2 * (a * slope_limit + s * limit_norm) + limit_norm
    of_halves = dot(samples, slope_map)
    uncertainty = (of_halves[:1] - of_halves[1:]) ** 2 / 4
    error = error + 2 * _divide(uncertainty, slope_norm)
    parts = s**2 * noise, a**2 * _variance(slopes)
    a, s = _as_factor(a, slopes), _as_factor(s, samples)
    error = ops.maximum(error, _variance(a * slopes + s * samples))
    return Combination(a * slope_map + s * sample_map, error, *parts)


def dot(one: Tensor, other: Tensor) -> Tensor:
    """Return the inner product (B, K) of each map (B, ..., K) with another."""
    return ops.sum(one * other, axis=tuple(range(1, len(one.shape) - 1)))


def _variance(halves: Tensor) -> Tensor:
    """Return the variance (1, K) of the mean of two halves (2, ..., K)."""
    difference = halves[:1] - halves[1:]
    return dot(difference, difference) / 4


def _weighted_mean(shares: Tensor, x: Tensor) -> Tensor:
    """Return the mean (1, ...) of two halves (2, ...), weighted by shares (2,)."""
    return ops.sum(broadcast_rows(shares, x) * x, axis=0, keepdims=True)


def _divide(one: Tensor, other: Tensor) -> Tensor:
    """Return a quotient; 0 where the divisor is not positive."""
    return ops.where(other > 0, one / ops.where(other > 0, other, 1), 0)


def _as_factor(values: Tensor, maps: Tensor) -> Tensor:
    """Return values (1, K) in a shape that broadcasts with maps (B, ..., K)."""
    shape = (1, *(1,) * (len(maps.shape) - 2), maps.shape[-1])
    return ops.reshape(values, shape)
