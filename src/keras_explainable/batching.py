"""Work cut into chunks of one fixed size, the last one padded."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Copies(NamedTuple):
    """A chunk of noisy copies: of which image (R,), the how-manieth (R,), if used."""

    image: np.ndarray
    draw: np.ndarray
    used: np.ndarray


def padded_chunks(total: int, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield positions (size,) that cover 0..total-1, and which of them are used.

    Padding repeats the last position; whatever is computed there is to be dropped.
    """
    for start in range(0, total, size):
        positions = np.arange(start, start + size)
        yield np.minimum(positions, total - 1), positions < total


def chunks_of_copies(
    live: np.ndarray, repetitions: int, rows: int, images: int
) -> Iterator[Copies]:
    """Yield chunks of one size that hold each live image ``repetitions`` times.

    Args:
        live: positions of the images to copy, those that are not padding.
        repetitions: copies of each image.
        rows: the most rows of a chunk.
        images: number of images, padding included; it alone fixes the size of the
            chunks, so that a last, padded batch compiles nothing new.
    """
    size = min(rows, images * repetitions)
    for positions, used in padded_chunks(len(live) * repetitions, size):
        draw, image = np.divmod(positions, len(live))
        yield Copies(live[image], draw, used)
