"""Between the mean of samples, which has no bias, and slopes, with little variance."""

from keras import ops

from keras_explainable.types import Tensor


def blended(
    samples: Tensor, squares: Tensor, slopes: Tensor, counts: Tensor
) -> tuple[Tensor, Tensor]:
    """Return ``a A + s S`` for maps A by slopes and S by samples, nearest to the limit.

        <A, A> a + <A, S> s = <A, M>,   <S, A> a + <S, S> s = <S, M>

    The limit M is not known, but S has no bias: products with M are those of one half
    of the pairs with S of the other half, as what A and S share of the noise would make
    them look better than they are. Half the pairs bend A a little, which adds to these
    products and is taken off. Weights are kept in a >= 0, 0 <= s <= 1.

    Args:
        samples: S of one half of the pairs, of the other, and of all (3, ..., K).
        squares: the same means of the squares of the pairs' gradients.
        slopes: A of the same.
        counts: pairs in each half (2,).

    Returns:
        Maps (1, ..., K), and the estimate of their squared errors (1, K): without bias
        for given weights, but never less than the variance that the halves tell.
    """
    whole, mean = slopes[2:], samples[2:]
    n = ops.sum(counts)
    noise = _sum(ops.maximum(squares[2:] - ops.square(mean), 0)) / (n - 1)
    own, both, others = _dot(whole, whole), _dot(whole, mean), _dot(mean, mean)
    limit = ops.maximum(others - noise, 0)  # <S, M> = <M, M>
    with_limit = _dot(samples[:2], ops.flip(slopes[:2], axis=0))
    bent = ops.mean(slopes[:2], axis=0, keepdims=True) - whole
    with_limit = ops.mean(with_limit, axis=0, keepdims=True) - _dot(bent, mean)
    share = _over(own * limit - both * with_limit, own * others - both**2)
    share = ops.clip(share, 0, 1)
    scale = _over(with_limit - share * both, own)
    alone = ops.clip(_over(limit, others), 0, 1)
    share, scale = ops.where(scale > 0, share, alone), ops.maximum(scale, 0)
    error = scale**2 * own + 2 * scale * share * both + share**2 * others
    error = error - 2 * (scale * with_limit + share * limit) + limit
    maps = _like(scale, slopes) * slopes + _like(share, samples) * samples
    chance = maps[:1] - maps[1:2]  # Twice the deviation of the whole.
    return maps[2:], ops.maximum(error, _dot(chance, chance) / 4)


def _over(one: Tensor, other: Tensor) -> Tensor:
    """Return a quotient, 0 where nothing is divided by."""
    return ops.where(other > 0, one / ops.where(other > 0, other, 1), 0)


def _sum(maps: Tensor) -> Tensor:
    """Return the sum over each map (B, K)."""
    return ops.sum(maps, axis=tuple(range(1, len(maps.shape) - 1)))


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return _sum(one * other)


def _like(values: Tensor, maps: Tensor) -> Tensor:
    """Return (1, K) in a shape that multiplies maps (B, ..., K)."""
    shape = (1, *(1,) * (len(maps.shape) - 2), maps.shape[-1])
    return ops.reshape(values, shape)
