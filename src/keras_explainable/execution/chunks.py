"""Splitting rows into chunks of one fixed size."""

from collections.abc import Iterator

import numpy as np


def padded_chunks(total: int, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield positions (size,) that cover 0..total-1, and a mask of those in use.

    The last chunk is padded with its last position; results there must be dropped.
    """
    for start in range(0, total, size):
        positions = np.arange(start, start + size)
        yield np.minimum(positions, total - 1), positions < total
