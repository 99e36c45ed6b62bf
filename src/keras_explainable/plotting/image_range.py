"""Pictures of images in any range of values."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_pictures(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return images (N, H, W, C) as bytes, scaled unless their range is 0..1 or 0..255.

    All are scaled alike, so that they can be compared.
    """
    if images.dtype == np.uint8:
        return images
    values = images.astype("float32")
    low, high = float(values.min()), float(values.max())
    if low >= 0 and high <= 255:
        low, high = 0, 1 if high <= 1 else 255
    values = (values - low) * (255 / max(high - low, 1e-12))
    return np.rint(values).astype("uint8")


def as_rgb(images: NDArray[Any]) -> NDArray[np.uint8]:
    """Return images as pictures (N, H, W, 3); grey ones of other than three channels.

    These show the mean over the channels.
    """
    if images.shape[-1] != 3:
        images = images.mean(axis=-1, keepdims=True, dtype="float32")
    return np.broadcast_to(as_pictures(images), (*images.shape[:3], 3))
