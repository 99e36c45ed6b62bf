"""Tells images from maps by their values, where these leave no doubt."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting import image_range

#: The fewest grey levels on a regular grid that are no chance, and the most of 8 bits.
_FEWEST_LEVELS, _MOST_LEVELS = 8, 256

#: The most values that are looked at, for sorting those of a large photo takes seconds.
_MOST_VALUES = 1 << 16

#: Least maximum, and least mean as a fraction of it, of photos that are no raw maps.
_BRIGHT, _LEAST_MEAN = 128, 0.1


def is_image(array: NDArray[Any], maps: bool | None) -> bool:
    """Return whether an array is an image, by the rule of ``visualize``."""
    if array.dtype == np.uint8:
        return True
    channels = array.shape[-1] if array.ndim == 3 else 1
    if maps is not None:
        return not maps and channels in (1, 3, 4)
    if channels == 1:
        return array.dtype.kind == "f" and _has_grey_levels(array)
    return channels == 3 and _looks_like_rgb(array)


def _looks_like_rgb(array: NDArray[Any]) -> bool:
    values = array.astype("float32")
    if not np.isfinite(values).all():
        return False
    if _is_8_bit(values) or _is_bright(values):
        return True
    channels = [array[..., channel] for channel in range(3)]
    return _has_grey_levels(array) or all(map(_has_grey_levels, channels))


def _is_8_bit(values: NDArray[np.float32]) -> bool:
    """Return whether values are multiples of 1/255, or whole numbers up to 255."""
    low, high = values.min(), values.max()
    if low < 0 or high > 255:
        return False
    steps = values * 255 if high <= 1 else values
    # A tolerance of a tenth of a step allows for half precision.
    return bool((np.abs(steps - np.rint(steps)) < 0.1).all())


def _is_bright(values: NDArray[np.float32]) -> bool:
    """Return whether values are a photo's, and neither raw nor normalised maps."""
    low, high = values.min((0, 1)), values.max((0, 1))
    for top, least in ((1, 0), (255, _BRIGHT)):
        inside = image_range.fits(float(low.min()), float(high.max()), top)
        if inside and high.max() > least and values.mean() >= _LEAST_MEAN * top:
            return not ((low == 0).all() and np.isin(high, (0, 1)).all())
    return False


def _has_grey_levels(array: NDArray[Any]) -> bool:
    """Return whether values lie on a regular grid, as all do that once had 8 bits.

    Scaling and shifting keep it, such as to -1..1 or to a standard deviation of 1.
    """
    if array.dtype.itemsize < 4:  # Half precision is a grid itself.
        return False
    values = array.ravel()[:: max(1, array.size // _MOST_VALUES)]
    levels = np.unique(values[np.isfinite(values)].astype("float64"))
    # Each level once would be a ramp, which is rather a map.
    if not _FEWEST_LEVELS <= len(levels) <= min(_MOST_LEVELS, values.size // 2):
        return False
    span = levels[-1] - levels[0]
    count = np.rint(span / np.diff(levels).min())
    if count >= _MOST_LEVELS:
        return False
    steps = (levels - levels[0]) * (count / span)
    return bool((np.abs(steps - np.rint(steps)) < 0.1).all())
