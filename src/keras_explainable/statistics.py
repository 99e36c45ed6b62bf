"""Running statistics of maps, in constant memory."""

from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.types import Tensor


class RunningMean:
    """The mean of each image's maps so far.

    Updated by the difference from the mean (Welford, 1962; Chan et al., 1979), so
    that rounding errors do not grow with the number of maps.
    """

    def __init__(self, images: int):
        self.value: Tensor = None  # (images, ...) once the maps' shape is known.
        self.counts = np.zeros(images, "int64")

    def add(self, maps: Tensor, image: np.ndarray, used: np.ndarray) -> None:
        """Count in ``maps`` (R, ...).

        Args:
            maps: one map a row.
            image: (R,) integers, the image that each map belongs to.
            used: (R,) booleans; rows that are False only fill up the chunk.
        """
        if self.value is None:
            shape = (len(self.counts), *maps.shape[1:])
            self.value = ops.zeros(
                shape, keras.backend.result_type(maps.dtype, "float32")
            )
        new = np.bincount(image[used], minlength=len(self.counts))
        self.counts += new
        per_map = 1 / np.maximum(self.counts, 1)
        share, shrink = used * per_map[image], new * per_map
        self.value = _update()(self.value, maps, image.astype("int32"), share, shrink)


@cache
def _update() -> Any:
    return backend.jit(_updated)


def _updated(mean: Tensor, maps: Tensor, image: Any, share: Any, shrink: Any) -> Tensor:
    """Return mean + sum over an image's new maps of (map - mean) / count."""
    new = ops.cast(maps, mean.dtype)
    new = new * _column(share, new)
    sums = ops.segment_sum(new, image, num_segments=mean.shape[0])
    return mean + (sums - mean * _column(shrink, mean))


def _column(values: Tensor, like: Tensor) -> Tensor:
    column = ops.reshape(values, (-1,) + (1,) * (len(like.shape) - 1))
    return ops.cast(column, like.dtype)
