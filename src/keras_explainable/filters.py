"""Small functions from maps to maps: parts, absolute values, normalisations.

Each takes NumPy arrays, lists or backend tensors of any real dtype and returns
a backend tensor; none converts to the host, so all run inside ``tf.function``
and ``jax.jit``. Floats keep their dtype (float64 where the backend has it),
integers and booleans become float32. A NaN stays a NaN.
"""

import math
from collections.abc import Iterable

import keras
import numpy as np
from keras import ops

from keras_explainable.types import Tensor

__all__ = [
    "absolute",
    "absolute_normalize",
    "blur",
    "negative",
    "negative_normalize",
    "normalize",
    "percentile_normalize",
    "positive",
    "positive_normalize",
]

Axis = int | Iterable[int] | None

SPATIAL: tuple[int, int] = (-3, -2)
"""The spatial axes of maps (B, H, W, K) and (H, W, K)."""


def absolute(x: Tensor) -> Tensor:
    """Return ``|x|``, in the shape of ``x``."""
    return ops.abs(_floats(x))


def positive(x: Tensor) -> Tensor:
    """Return the positive parts ``max(x, 0)``, in the shape of ``x``."""
    return ops.relu(_floats(x))


def negative(x: Tensor) -> Tensor:
    """Return the magnitude of the negative parts ``max(-x, 0)``: never below 0."""
    return ops.relu(-_floats(x))


def normalize(x: Tensor, axis: Axis = SPATIAL) -> Tensor:
    """Return ``x`` rescaled to 0..1, each map by its own minimum and maximum.

        (x - min x) / (max x - min x)

    A constant map becomes zeros. Values near the limits of the dtype neither
    overflow nor vanish.

    Args:
        x: Maps, (B, H, W, K) or (H, W, K), or one map (H, W).
        axis: Axes that make up one map. The default, the two spatial axes, takes
            an (H, W) array as a whole. Stacks (B, H, W) need ``(-2, -1)`` and maps
            with channels (B, H, W, C, K) need ``(1, 2, 3)``, or ``(1, 2)`` for each
            channel by itself. ``None`` takes the whole array as one map.

    Returns:
        A tensor in the shape of ``x``, its values in 0..1.

    Raises:
        ValueError: if ``axis`` does not fit the rank of ``x``.
    """
    x = _floats(x)
    axes = _axes(axis, len(x.shape))
    wide = _widened(x)
    low = ops.min(wide, axis=axes, keepdims=True)
    high = ops.max(wide, axis=axes, keepdims=True)
    return ops.cast(_unit_range(wide, low, high), x.dtype)


def positive_normalize(x: Tensor, axis: Axis = SPATIAL) -> Tensor:
    """Return ``normalize(positive(x), axis)``: what speaks for the unit, 0..1."""
    return normalize(positive(x), axis)


def negative_normalize(x: Tensor, axis: Axis = SPATIAL) -> Tensor:
    """Return ``normalize(negative(x), axis)``: what speaks against the unit, 0..1."""
    return normalize(negative(x), axis)


def absolute_normalize(x: Tensor, axis: Axis = SPATIAL) -> Tensor:
    """Return ``normalize(absolute(x), axis)``: what matters either way, 0..1."""
    return normalize(absolute(x), axis)


def blur(x: Tensor, sigma: float) -> Tensor:
    """Return images blurred by a Gaussian, whose weights at the edges add up to 1.

    Args:
        x: (B, ..., C), with any number of spatial axes.
        sigma: in pixels.

    Returns:
        A tensor in the shape of ``x``.
    """
    x = _floats(x)
    for axis in range(1, len(x.shape) - 1):
        place = np.arange(x.shape[axis])
        weights = np.exp(-(((place[:, None] - place) / sigma) ** 2) / 2)
        weights = ops.cast(weights / weights.sum(axis=0), x.dtype)
        x = ops.moveaxis(ops.tensordot(x, weights, axes=[[axis], [0]]), -1, axis)
    return x


def percentile_normalize(
    x: Tensor, axis: Axis = SPATIAL, percentile: float = 99.0
) -> Tensor:
    """Return ``x`` rescaled to 0..1, each map clipped at a percentile above.

        min((x - min x) / (percentile of x - min x), 1)

    A few very bright pixels otherwise darken all the rest of a gradient map. A map
    so sparse that the percentile equals its minimum becomes 1 wherever it is above
    that minimum, and a constant map becomes zeros.

    Args:
        x: Maps, as in ``normalize``.
        axis: Axes that make up one map, as in ``normalize``.
        percentile: Above 0, at most 100 (which is ``normalize``); interpolated
            linearly between values, as ``numpy.percentile`` does.

    Returns:
        A tensor in the shape of ``x``, its values in 0..1.

    Raises:
        ValueError: if ``percentile`` or ``axis`` is out of range.
    """
    if not 0 < percentile <= 100:
        raise ValueError(
            f"`percentile` must be above 0 and at most 100; received {percentile!r}."
        )
    x = _floats(x)
    axes = _axes(axis, len(x.shape))
    wide = _widened(x)
    low = ops.min(wide, axis=axes, keepdims=True)
    high = _quantile(wide, axes, percentile / 100)
    return ops.cast(_unit_range(wide, low, high), x.dtype)


def _floats(x: Tensor) -> Tensor:
    if isinstance(x, np.ndarray) and x.dtype.kind in "biu":
        x = x.astype("float32")  # JAX would wrap 64-bit integers around to 32 bits.
    x = ops.convert_to_tensor(x)
    dtype = keras.backend.standardize_dtype(x.dtype)
    if "complex" in dtype:
        raise TypeError(f"`x` must be real; received dtype {dtype}.")
    return x if "float" in dtype else ops.cast(x, "float32")


def _widened(x: Tensor) -> Tensor:
    """Half precision is too coarse for differences and quantiles."""
    dtype = keras.backend.standardize_dtype(x.dtype)
    return x if dtype == "float64" else ops.cast(x, "float32")


def _axes(axis: Axis, rank: int) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(rank))
    given = tuple(axis) if isinstance(axis, Iterable) else (axis,)
    if rank == 2 and given == SPATIAL:  # One (H, W) map.
        given = (-2, -1)
    axes = tuple(a + rank if a < 0 else a for a in given)
    if len(set(axes)) < len(axes) or not all(0 <= a < rank for a in axes):
        raise ValueError(
            f"`axis` must name different axes of `x`, which has rank {rank}; "
            f"received axis={axis!r}."
        )
    return axes


def _unit_range(x: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """``(x - low) / (high - low)`` within 0..1; a step where ``high == low``."""
    # Powers of two are exact. Shrinking keeps differences of large values, and
    # the reciprocals some backends divide by, in range; enlarging keeps those of
    # small values out of the subnormals, which most backends round to zero.
    small = ops.logical_and(ops.abs(low) < 1, ops.abs(high) < 1)
    scale = ops.cast(ops.where(small, 2.0**60, 2.0**-4), x.dtype)
    span = high * scale - low * scale
    zero, one = ops.cast(0, x.dtype), ops.cast(1, x.dtype)
    ratio = (x * scale - low * scale) / ops.where(span == 0, one, span)
    # The ends are set, not computed: division may be off in the last bit.
    inside = ops.where(x >= high, one, ops.clip(ratio, 0, 1))
    return ops.where(x <= low, zero, inside)


def _quantile(x: Tensor, axes: tuple[int, ...], q: float) -> Tensor:
    """Quantile with kept dimensions; ``torch.quantile`` stops at 16 M elements."""
    if None in x.shape:  # Only TensorFlow leaves sizes open.
        return ops.quantile(x, q, axis=axes, keepdims=True)
    others = [a for a in range(len(x.shape)) if a not in axes]
    flat = ops.transpose(x, (*others, *axes))
    size = math.prod(x.shape[a] for a in axes)
    flat = ops.sort(ops.reshape(flat, (*(x.shape[a] for a in others), size)), axis=-1)
    position = q * (size - 1)
    weight = position % 1
    below, above = flat[..., int(position)], flat[..., math.ceil(position)]
    # Not below + weight * (above - below), which may overflow.
    mixed = below * (1 - weight) + above * weight
    value = ops.where(below == above, above, mixed)
    return ops.reshape(value, [1 if a in axes else n for a, n in enumerate(x.shape)])
