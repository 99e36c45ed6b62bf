"""Functions of saliency maps: their sign, normalisation and blur.

Each function takes a NumPy array, list or backend tensor of any real dtype and returns
a backend tensor. None copies to the host, so all of them run inside ``tf.function`` and
``jax.jit``. Floats keep their dtype (float64 where the backend has it); integers and
booleans become float32. NaN stays NaN.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial

import keras
import numpy as np
from keras import ops

from keras_explainable.common.precision import widened
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
    "signed_normalize",
]

__dir__ = __all__.copy

Axis = int | Iterable[int] | None

#: Spatial axes of maps (B, H, W, K) and (H, W, K).
SPATIAL: tuple[int, int] = (-3, -2)


def absolute(x: Tensor) -> Tensor:
    """Return ``|x|``, in the shape of ``x``."""
    return ops.abs(_floats(x))


def positive(x: Tensor) -> Tensor:
    """Return the positive part ``max(x, 0)``, in the shape of ``x``."""
    return ops.relu(_floats(x))


def negative(x: Tensor) -> Tensor:
    """Return the magnitude of the negative part, ``max(-x, 0)``: never below 0."""
    return ops.relu(-_floats(x))


def normalize(x: Tensor, axis: Axis = SPATIAL) -> Tensor:
    """Return ``x`` rescaled to 0..1, each map by its own minimum and maximum.

        (x - min x) / (max x - min x)

    A constant map becomes zeros. Values near the limits of the dtype neither
    overflow nor vanish.

    Args:
        x: Maps, (B, H, W, K) or (H, W, K), or one map (H, W).
        axis: Axes that make up one map. The default is the two spatial axes; for an
            (H, W) array it is the whole array. Stacks (B, H, W) need ``(-2, -1)``. Maps
            with channels (B, H, W, C, K) need ``(1, 2, 3)``, or ``(1, 2)`` to rescale
            each channel on its own. ``None`` treats the whole array as one map.

    Returns:
        A tensor in the shape of ``x``, with values in 0..1.

    Raises:
        ValueError: If ``axis`` does not fit the rank of ``x``.
    """
    return _rescaled(x, axis, partial(ops.max, keepdims=True))


def positive_normalize(x: Tensor, axis: Axis = SPATIAL) -> Tensor:
    """Return ``normalize(positive(x), axis)``: evidence for the unit, in 0..1."""
    return normalize(positive(x), axis)


def negative_normalize(x: Tensor, axis: Axis = SPATIAL) -> Tensor:
    """Return ``normalize(negative(x), axis)``: evidence against the unit, in 0..1."""
    return normalize(negative(x), axis)


def absolute_normalize(x: Tensor, axis: Axis = SPATIAL) -> Tensor:
    """Return ``normalize(absolute(x), axis)``: evidence of either sign, in 0..1."""
    return normalize(absolute(x), axis)


def signed_normalize(x: Tensor, axis: Axis = SPATIAL) -> Tensor:
    """Return ``x`` rescaled to -1..1, each map by its largest ``|x|``; 0 stays 0."""
    x = _floats(x)
    size = ops.abs(widened(x))
    largest = ops.max(size, axis=_axes(axis, len(x.shape)), keepdims=True)
    unit = _unit_range(size, ops.zeros_like(largest), largest)
    return ops.cast(ops.sign(widened(x)) * unit, x.dtype)


def blur(x: Tensor, sigma: float) -> Tensor:
    """Return images blurred by a Gaussian, with weights that sum to 1 at the edges too.

    Args:
        x: Images, (B, ..., C), with any number of spatial axes.
        sigma: Standard deviation of the Gaussian, in pixels.

    Returns:
        A tensor in the shape of ``x``.
    """
    x = _floats(x)
    for axis in range(1, len(x.shape) - 1):
        pixels = np.arange(x.shape[axis])
        weights = np.exp(-(((pixels[:, None] - pixels) / sigma) ** 2) / 2)
        weights = ops.cast(weights / weights.sum(axis=0), x.dtype)
        x = ops.moveaxis(ops.tensordot(x, weights, axes=[[axis], [0]]), -1, axis)
    return x


def percentile_normalize(
    x: Tensor, axis: Axis = SPATIAL, percentile: float = 99.0
) -> Tensor:
    """Return ``x`` rescaled to 0..1, with each map clipped at an upper percentile.

        min((x - min x) / (percentile of x - min x), 1)

    Clipping keeps a few very bright pixels from darkening the rest of a gradient map. A
    map so sparse that the percentile equals its minimum becomes 1 wherever it is above
    that minimum. A constant map becomes zeros.

    Args:
        x: Maps, as in ``normalize``.
        axis: Axes that make up one map, as in ``normalize``.
        percentile: Percentile to clip at, above 0 and at most 100 (which is
            ``normalize``). It is interpolated linearly between values, as in
            ``numpy.percentile``.

    Returns:
        A tensor in the shape of ``x``, with values in 0..1.

    Raises:
        ValueError: If ``percentile`` or ``axis`` is out of range.
    """
    if not 0 < percentile <= 100:
        raise ValueError(
            f"`percentile` must be above 0 and at most 100; received {percentile!r}."
        )
    return _rescaled(x, axis, partial(_quantile, q=percentile / 100))


def _rescaled(x: Tensor, axis: Axis, upper: Callable[..., Tensor]) -> Tensor:
    """Return ``x`` rescaled from its minimum and ``upper(x, axes)`` to 0 and 1."""
    x = _floats(x)
    axes = _axes(axis, len(x.shape))
    wide = widened(x)
    low = ops.min(wide, axis=axes, keepdims=True)
    return ops.cast(_unit_range(wide, low, upper(wide, axes)), x.dtype)


def _floats(x: Tensor) -> Tensor:
    if isinstance(x, np.ndarray) and x.dtype.kind in "biu":
        x = x.astype("float32")  # JAX would truncate 64-bit integers to 32 bits.
    x = ops.convert_to_tensor(x)
    dtype = keras.backend.standardize_dtype(x.dtype)
    if "complex" in dtype:
        raise TypeError(f"`x` must be real; received dtype {dtype}.")
    return x if "float" in dtype else ops.cast(x, "float32")


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
    """Return ``(x - low) / (high - low)`` in 0..1; ``x > low`` if ``high == low``."""
    # Scaling by a power of two is exact. A small scale keeps differences of large
    # values in range, and the reciprocals that some backends divide by. A large scale
    # keeps those of small values from being subnormal: most backends round that to 0.
    small = ops.logical_and(ops.abs(low) < 1, ops.abs(high) < 1)
    large, little = (ops.convert_to_tensor(2.0**n, x.dtype) for n in (60, -4))
    scale = ops.where(small, large, little)
    span = high * scale - low * scale
    zero, one = ops.cast(0, x.dtype), ops.cast(1, x.dtype)
    ratio = (x * scale - low * scale) / ops.where(span == 0, one, span)
    # The end points are set explicitly: division may be off in the last bit.
    inside = ops.where(x >= high, one, ops.clip(ratio, 0, 1))
    return ops.where(x <= low, zero, inside)


def _quantile(x: Tensor, axes: tuple[int, ...], q: float) -> Tensor:
    """Return a quantile, keeping axes. ``torch.quantile`` takes only 16 M elements."""
    if None in x.shape:  # Only TensorFlow has unknown sizes.
        return ops.quantile(x, q, axis=axes, keepdims=True)
    others = [a for a in range(len(x.shape)) if a not in axes]
    flat = ops.transpose(x, (*others, *axes))
    size = math.prod(x.shape[a] for a in axes)
    flat = ops.sort(ops.reshape(flat, (*(x.shape[a] for a in others), size)), axis=-1)
    position = q * (size - 1)
    weight = position % 1
    below, above = flat[..., int(position)], flat[..., math.ceil(position)]
    # The form below + weight * (above - below) may overflow.
    mixed = below * (1 - weight) + above * weight
    value = ops.where(below == above, above, mixed)
    return ops.reshape(value, [1 if a in axes else n for a, n in enumerate(x.shape)])
