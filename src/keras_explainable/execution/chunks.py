"""Rows cut into chunks of one fixed size, the last one padded."""

from collections.abc import Iterator

import numpy as np


def padded_chunks(total: int, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield positions (size,) that cover 0..total-1, and which of them are used.

    Padding repeats the last position; whatever is computed there is to be dropped.
    """
    for start in range(0, total, size):
        positions = np.arange(start, start + size)
        yield np.minimum(positions, total - 1), positions < total
