"""Which repetition of which image is computed next."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_explainable.execution.chunks import padded_chunks


class Copies(NamedTuple):
    """A chunk of noisy copies: of which image (R,), the how-manieth (R,), if used."""

    image: np.ndarray
    draw: np.ndarray
    used: np.ndarray


class Schedule:
    """Which draw of which image is next: chunks of one size, until all have enough.

    The images that have had the fewest draws come first; an image that is finished
    early leaves its rows to the others.
    """

    def __init__(self, live: np.ndarray, draws: int, size: int, images: int):
        """Plan ``draws`` of each of the ``live`` images, at most ``size`` at once.

        Args:
            live: positions of the images to draw, those that are not padding.
            draws: of each image.
            size: the most draws in a chunk.
            images: number of images, padding included; it alone fixes the size of the
                chunks, so that a last, padded batch compiles nothing new.
        """
        self.size = min(size, images * draws)
        self.drawn = np.zeros(images, "int64")
        self._wanted = np.zeros(images, "int64")
        self._wanted[live] = draws

    def __iter__(self) -> Iterator[Copies]:
        """Yield the next chunk, the last one padded."""
        while (left := self._left()).any():
            image = np.repeat(np.arange(len(left)), left)
            draw = _counted(left) + self.drawn[image]
            first = np.argsort(draw, kind="stable")[: self.size]
            positions, used = next(padded_chunks(len(first), self.size))
            chunk = Copies(image[first][positions], draw[first][positions], used)
            self.drawn += np.bincount(chunk.image[used], minlength=len(left))
            yield chunk

    def _left(self) -> np.ndarray:
        """Return how many draws each image may have in the next chunk."""
        return np.minimum(self._wanted - self.drawn, self.size)

    def finish(self, images: np.ndarray) -> None:
        """Draw no more of the images (B,) that are True."""
        self._wanted = np.where(images, self.drawn, self._wanted)

    @property
    def done(self) -> int:
        """How many draws were given out so far."""
        return int(self.drawn.sum())

    @property
    def total(self) -> int:
        """How many draws are planned now, those done included."""
        return int(self._wanted.sum())


def _counted(counts: np.ndarray) -> np.ndarray:
    """Return 0, 1, ..., n - 1 for each n of ``counts``, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) - np.repeat(ends - counts, counts)
