"""Running statistics of maps, in constant memory.

A state is a list of tensors (images, ...): the mean, and up to the required order the
sums of squares, cubes and fourth powers of the differences from it. States of
disjoint samples are merged (Chan, Golub & LeVeque, 1979; Pebay, 2008), so that rounding
errors do not grow with the number of maps.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.types import Tensor

State = Sequence[Tensor]


class Moments:
    """Running moments of each image's maps."""

    def __init__(self, images: int, order: int = 1):
        """Start empty; ``order`` is the highest power to sum: 1, 2 or 4."""
        self.order = order
        self.counts = np.zeros(images, "int64")
        self.state: State = ()  # Set when the maps' shape is known.

    def add(self, maps: Tensor, image: np.ndarray, used: np.ndarray) -> None:
        """Add maps.

        Args:
            maps: One map per row, shape (R, ...).
            image: Integers (R,), the image that each map belongs to.
            used: Booleans (R,), False for rows that only pad the chunk.
        """
        self.state = self.state or self._empty(maps)
        new = np.bincount(image[used], minlength=len(self.counts))
        counts = (n.astype("float32") for n in (self.counts, new))
        update, image = _compiled_update(), image.astype("int32")
        self.state = update(self.state, maps, image, used, *counts)
        self.counts = self.counts + new

    def _empty(self, maps: Tensor) -> State:
        shape = (len(self.counts), *maps.shape[1:])
        dtype = keras.backend.result_type(maps.dtype, "float32")
        return [ops.zeros(shape, dtype) for _ in range(self.order)]


@cache
def _compiled_update() -> Any:
    return backend.jit(_update)


def _update(
    state: State, maps: Tensor, image: Any, used: Any, counts: Any, new: Any
) -> State:
    """Return the state with ``maps`` added, ``new`` (images,) of each image."""
    maps = ops.cast(maps, state[0].dtype)
    return merged(state, counts, _chunk_state(maps, image, used, new, len(state)), new)


def _chunk_state(maps: Tensor, image: Any, used: Any, new: Any, order: int) -> State:
    images = new.shape[0]
    weight = broadcast_rows(used, maps)
    total = ops.segment_sum(maps * weight, image, num_segments=images)
    mean = total / broadcast_rows(ops.maximum(new, 1), maps)
    if order == 1:
        return [mean]
    delta = (maps - ops.take(mean, image, axis=0)) * weight
    powers = [delta**power for power in range(2, order + 1)]
    return [mean] + [ops.segment_sum(x, image, num_segments=images) for x in powers]


def merged(first: State, m: Any, second: State, n: Any) -> State:
    """Return the state of two disjoint samples, of ``m`` and ``n`` (images,) maps."""
    m, n = broadcast_rows(m, first[0]), broadcast_rows(n, first[0])
    total = ops.maximum(m + n, 1)
    delta = second[0] - first[0]
    state = [first[0] + delta * n / total]
    if len(first) > 1:
        weight = m * n / total  # Divided at each step, so that counts stay small.
        state.append(first[1] + second[1] + delta**2 * weight)
    if len(first) > 2:
        m, n = m / total, n / total
        state += _higher(first, m, second, n, delta, weight)
    return state


def _higher(
    first: State, m: Any, second: State, n: Any, delta: Tensor, weight: Any
) -> State:
    """Return the merged sums of cubes and fourth powers, given m + n = 1."""
    cubes = first[2] + second[2] + delta**3 * weight * (m - n)
    cubes = cubes + 3 * delta * (m * second[1] - n * first[1])
    fourths = first[3] + second[3] + delta**4 * weight * (m**2 - m * n + n**2)
    fourths = fourths + 6 * delta**2 * (m**2 * second[1] + n**2 * first[1])
    fourths = fourths + 4 * delta * (m * second[2] - n * first[2])
    return [cubes, fourths]


def broadcast_rows(values: Any, like: Tensor) -> Tensor:
    """Return ``values`` (images,) in a shape that multiplies ``like`` (images, ...)."""
    shape = (-1,) + (1,) * (len(like.shape) - 1)
    return ops.cast(ops.reshape(values, shape), like.dtype)
