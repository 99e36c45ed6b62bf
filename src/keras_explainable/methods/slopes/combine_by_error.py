"""Between the mean of samples, which has no bias, and slopes, with little variance."""

from keras import ops

from keras_explainable.sampling.welford import broadcast_rows
from keras_explainable.types import Tensor


def combine_by_error(
    samples: Tensor, squares: Tensor, slopes: Tensor, counts: Tensor
) -> tuple[Tensor, Tensor]:
    """Return ``a A + s S`` for maps A by slopes and S by samples, nearest to the limit.

        <A, A> a + <A, S> s = <A, M>,   <S, A> a + <S, S> s = <S, M>

    The limit M is not known, but S has no bias: products with M are those of one half
    of the pairs with S of the other half, as what A and S share of the noise would make
    them look better than they are. Weights are kept in a >= 0, 0 <= s <= 1.

    Args:
        samples: S of one half of the pairs and of the other (2, ..., K).
        squares: mean squared norms of the pairs' gradients (2, K).
        slopes: A of the same halves (2, ..., K); their mean is used.
        counts: pairs with gradients in each half (2,).

    Returns:
        Maps (1, ..., K), and the estimate of their squared errors (1, K): without bias
        for given weights, but never less than the variance that the halves tell.
    """
    n = ops.sum(counts)
    shares = counts / n
    whole, mean = ops.mean(slopes, axis=0, keepdims=True), _joined(shares, samples)
    own, both, others = dot(whole, whole), dot(whole, mean), dot(mean, mean)
    noise = ops.maximum(_joined(shares, squares) - others, 0) / (n - 1)
    limit = ops.maximum(others - noise, 0)  # <S, M> = <M, M>
    with_limit = dot(samples, ops.flip(slopes, axis=0))
    with_limit = ops.mean(with_limit, axis=0, keepdims=True)
    share = _over(own * limit - both * with_limit, own * others - both**2)
    share = ops.clip(share, 0, 1)
    scale = _over(with_limit - share * both, own)
    alone = ops.clip(_over(limit, others), 0, 1)
    share, scale = ops.where(scale > 0, share, alone), ops.maximum(scale, 0)
    error = scale**2 * own + 2 * scale * share * both + share**2 * others
    error = error - 2 * (scale * with_limit + share * limit) + limit
    scale, share = _like(scale, slopes), _like(share, samples)
    chance = scale * (slopes[:1] - slopes[1:]) + share * (samples[:1] - samples[1:])
    least = dot(chance, chance) / 4  # Of the mean of the halves.
    return scale * whole + share * mean, ops.maximum(error, least)


def dot(one: Tensor, other: Tensor) -> Tensor:
    """Return the product of each map (B, ..., K) with another (B, K)."""
    return ops.sum(one * other, axis=tuple(range(1, len(one.shape) - 1)))


def _joined(shares: Tensor, x: Tensor) -> Tensor:
    """Return the mean (1, ...) of two halves (2, ...) with their shares in it."""
    return ops.sum(broadcast_rows(shares, x) * x, axis=0, keepdims=True)


def _over(one: Tensor, other: Tensor) -> Tensor:
    """Return a quotient, 0 where nothing is divided by."""
    return ops.where(other > 0, one / ops.where(other > 0, other, 1), 0)


def _like(values: Tensor, maps: Tensor) -> Tensor:
    """Return (1, K) in a shape that multiplies maps (B, ..., K)."""
    shape = (1, *(1,) * (len(maps.shape) - 2), maps.shape[-1])
    return ops.reshape(values, shape)
