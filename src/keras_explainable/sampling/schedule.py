"""The order in which draws of images are computed."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_explainable.execution.chunks import padded_chunks


class Copies(NamedTuple):
    """A chunk of copies: image positions, draw numbers, and a mask of use, all (R,)."""

    image: np.ndarray
    draw: np.ndarray
    used: np.ndarray


class Schedule:
    """Chunks of one size, until every image has its draws.

    The images with the fewest draws so far come first. An image that is finished early
    leaves its rows to the others.
    """

    def __init__(self, images: np.ndarray, draws: int, size: int, batch: int):
        """Plan ``draws`` of each of the ``images``, at most ``size`` at once.

        Args:
            images: Positions of the images that are not padding.
            draws: Number of draws of each image.
            size: Maximum number of draws in a chunk.
            batch: Number of images including padding. It determines the size of the
                chunks, so that a last, padded batch compiles nothing new.
        """
        self.size = min(size, batch * draws)
        self.counts = np.zeros(batch, "int64")
        self._planned = np.zeros(batch, "int64")
        self._planned[images] = draws

    def __iter__(self) -> Iterator[Copies]:
        """Yield the next chunk, the last one padded."""
        # No image can have more draws than a chunk has rows.
        while (left := np.minimum(self._planned - self.counts, self.size)).any():
            image = np.repeat(np.arange(len(left)), left)
            draw = _count_up(left) + self.counts[image]
            order = np.argsort(draw, kind="stable")[: self.size]
            positions, used = next(padded_chunks(len(order), self.size))
            chunk = Copies(image[order][positions], draw[order][positions], used)
            self.counts += np.bincount(chunk.image[used], minlength=len(left))
            yield chunk

    def finish(self, images: np.ndarray) -> None:
        """Plan no more draws of the images where the mask (B,) is True."""
        self._planned = np.where(images, self.counts, self._planned)

    @property
    def done(self) -> int:
        """The number of draws so far."""
        return int(self.counts.sum())

    @property
    def total(self) -> int:
        """The number of planned draws, including those done."""
        return int(self._planned.sum())


def _count_up(counts: np.ndarray) -> np.ndarray:
    """Return 0, 1, ..., n - 1 for each n in ``counts``, concatenated."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) - np.repeat(ends - counts, counts)
