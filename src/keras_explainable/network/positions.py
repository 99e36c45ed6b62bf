"""The positions of a tensor's values in a grid over the image."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True)
class Positions:
    """The positions of a tensor's values in a grid over the image.

    Attributes:
        grid: The sizes of the grid, such as (rows, columns).
        numbers: For each value (1, ...), 1 plus its position in the grid, row by row;
            0 for values without a position, such as those of a class token.
    """

    grid: tuple[int, ...]
    numbers: np.ndarray

    @classmethod
    def of_image(cls, shape: Sequence[int], channel_axis: int) -> "Positions":
        """Return the positions of an image, or of a layer that has spatial axes."""
        spatial = tuple(n for k, n in enumerate(shape) if k not in (0, channel_axis))
        numbers = np.arange(1, 1 + np.prod(spatial)).reshape(1, *spatial)
        numbers = np.expand_dims(numbers, channel_axis)
        return cls(spatial, np.broadcast_to(numbers, (1, *shape[1:])))

    @cached_property
    def channel_axis(self) -> int | None:
        """The axis of the channels if all others are the grid, in order; else None."""
        shape = self.numbers.shape
        if len(shape) != len(self.grid) + 2 or shape[0] != 1:
            return None
        for axis in range(len(shape) - 1, 0, -1):
            if shape[1:axis] + shape[axis + 1 :] == self.grid and self._is_image(axis):
                return axis
        return None

    def _is_image(self, axis: int) -> bool:
        """Return whether the numbers are those of an image with these channels."""
        one = np.take(self.numbers, [0], axis=axis)
        constant = self.numbers.strides[axis] == 0 or np.array_equal(
            self.numbers, np.broadcast_to(one, self.numbers.shape)
        )
        return constant and np.array_equal(one.ravel(), np.arange(1, 1 + one.size))
