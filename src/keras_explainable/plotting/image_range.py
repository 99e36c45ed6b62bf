"""Pictures of images in any range of values."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Fraction of the range by which values may exceed it, for smooth resizing overshoots;
#: they are clipped.
_OVERSHOOT = 0.05

#: The least maximum of values in 0..255; images in a range such as 0..1.5 or 0..16
#: would be drawn black otherwise.
_LEAST_MAXIMUM_OF_BYTES = 64


class ValueRange(NamedTuple):
    """The values that are drawn black and white."""

    low: float
    high: float

    def to_bytes(self, image: NDArray[Any]) -> NDArray[np.uint8]:
        """Return an image with this range as bytes; NaN becomes grey."""
        if image.dtype == np.uint8:
            return image
        span = max(self.high - self.low, 1e-12)
        unit = (image.astype("float32") - self.low) / span
        unit = np.clip(np.where(np.isnan(unit), 0.5, unit), 0, 1)
        return np.rint(unit * 255).astype("uint8")


def range_of(images: Iterable[NDArray[Any]]) -> ValueRange:
    """Return the range in which images are drawn, so that they can be compared.

    It is 0..1 or 0..255 if that is what the values seem to be, whatever the darkest
    and the brightest one, and otherwise reaches from the least to the largest.
    """
    others = [x for x in images if x.dtype != np.uint8 and x.size]
    values = [x[np.isfinite(x)] for x in others]
    values = [x for x in values if x.size]
    if not values:
        return ValueRange(0.0, 1.0)
    low = min(float(x.min()) for x in values)
    high = max(float(x.max()) for x in values)
    if low < -_OVERSHOOT * max(high, 1):
        return ValueRange(low, high)
    if fits(low, high, 1):
        return ValueRange(0.0, 1.0)
    if any(x.dtype.kind in "iu" for x in others) and fits(low, high, 255):
        return ValueRange(0.0, 255.0)
    are_bytes = high >= _LEAST_MAXIMUM_OF_BYTES and fits(low, high, 255)
    return ValueRange(0.0, 255.0 if are_bytes else high)


def fits(low: float, high: float, top: float) -> bool:
    """Return whether values are in 0..top, but for what a resizing overshoots."""
    return low >= -_OVERSHOOT * max(high, 1) and high <= (1 + _OVERSHOOT) * top


def as_pictures(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return images (N, H, W, C) as bytes, which are scaled alike."""
    return range_of([images]).to_bytes(images)


def as_rgb(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return images as pictures (N, H, W, 3); grey ones of other than three channels.

    These show the mean over the channels.
    """
    own = range_of([images]) if images.dtype != np.uint8 else ValueRange(0.0, 255.0)
    if images.shape[-1] != 3:
        images = images.mean(axis=-1, keepdims=True, dtype="float32")
    return np.broadcast_to(own.to_bytes(images), (*images.shape[:3], 3))
