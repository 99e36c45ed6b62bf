"""Between the mean of samples, which has no bias, and slopes, with little variance."""

from keras import ops

from keras_explainable.types import Tensor


def blended(
    samples: Tensor, squares: Tensor, slopes: Tensor, counts: Tensor
) -> tuple[Tensor, Tensor]:
    """Return ``alpha c A + (1 - alpha) S`` for maps A by slopes and S by samples.

        c = <S, A> / <A, A>,   alpha = v / (v + b)

    v is the squared error of S, from the spread of its samples; b that of c A. Both c
    and b are estimated by the slopes of one half against the samples of the other, as
    what they share of the noise would make A look better than it is.

    Args:
        samples: S of one half of the pairs, of the other, and of all (3, ..., K).
        squares: the same means of the squares of the pairs' gradients.
        slopes: A of the same.
        counts: how many pairs these are (3,).

    Returns:
        Maps (1, ..., K), and the estimate of their squared errors (1, K).
    """
    whole, other = slopes[2:], ops.flip(slopes[:2], axis=0)
    size = _squared(whole)
    products = ops.mean(_dot(samples[:2], other), axis=0, keepdims=True)
    scale = ops.where(size > 0, products / ops.where(size > 0, size, 1), 0)
    n = ops.reshape(counts, (3, 1))
    spread = _sum(ops.maximum(squares[2:] - ops.square(samples[2:]), 0))
    errors = spread * n[2:] / (n[2:] - 1) / n
    away = _squared(samples[:2] - _like(scale, whole) * other) - errors[:2]
    # A of all pairs varies half as much as that of one half.
    less = scale**2 * _squared(slopes[:1] - slopes[1:2]) / 4
    bias = ops.maximum(ops.mean(away, axis=0, keepdims=True) - less, 0)
    error = errors[2:]
    total = error + bias
    alpha = ops.where(total > 0, error / ops.where(total > 0, total, 1), 0)
    share = _like(alpha, whole)
    maps = share * _like(scale, whole) * whole + (1 - share) * samples[2:]
    return maps, alpha**2 * bias + (1 - alpha) ** 2 * error


def _sum(maps: Tensor) -> Tensor:
    """Return the sum over each map (B, K)."""
    return ops.sum(maps, axis=tuple(range(1, len(maps.shape) - 1)))


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return _sum(one * other)


def _squared(maps: Tensor) -> Tensor:
    return _dot(maps, maps)


def _like(values: Tensor, maps: Tensor) -> Tensor:
    """Return (B, K) in a shape that multiplies maps (B, ..., K)."""
    shape = (maps.shape[0], *(1,) * (len(maps.shape) - 2), maps.shape[-1])
    return ops.reshape(values, shape)
