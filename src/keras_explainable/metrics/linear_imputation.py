"""Imputation of hidden pixels from their neighbours, as in ROAD."""

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common.optional_packages import require
from keras_explainable.metrics.map_arrays import Booleans, Floats

#: Weight of a neighbour by its distance along rows plus that along columns.
WEIGHTS = {1: 1 / 6, 2: 1 / 12}


def linear_imputation(image: NDArray[np.floating], hidden: Booleans) -> Floats:
    """Return an image whose hidden pixels are weighted means of their neighbours.

        z_i = sum_j w_ij z_j / sum_j w_ij,   i hidden, j its up to eight neighbours

    Neighbours that share a side weigh 1 / 6, the other ones 1 / 12. The equations of
    all hidden pixels are solved together. If every pixel is hidden, all are the mean of
    the image.

    Args:
        image: Image (H, W, C).
        hidden: Whether each pixel is hidden (H, W).

    Raises:
        ImportError: If SciPy is not installed.

    Reference: Rong et al., 2022, https://arxiv.org/abs/2202.00449
    """
    filled = image.astype("float64")
    if hidden.all():
        filled[:] = filled.mean(axis=(0, 1))
    elif hidden.any():
        filled[hidden] = _solution(filled, hidden)
    return filled


def _solution(image: Floats, hidden: Booleans) -> Floats:
    """Return the values of the hidden pixels (M, C)."""
    sparse = require("scipy.sparse", "metrics")
    linalg = require("scipy.sparse.linalg", "metrics")
    count = int(hidden.sum())
    number = np.zeros(hidden.shape, "int64")
    number[hidden] = np.arange(count)
    total, known = np.zeros(count), np.zeros((count, image.shape[-1]))
    entries = []
    for weight, pixels, places in _neighbours(hidden):
        total[pixels] += weight
        unknown = hidden[places]
        known[pixels[~unknown]] += weight * image[places][~unknown]
        row, column = pixels[unknown], number[places][unknown]
        entries.append((np.full(len(row), -weight), row, column))
    entries.append((total, np.arange(count), np.arange(count)))
    values, rows, columns = map(np.concatenate, zip(*entries, strict=True))
    matrix = sparse.csc_matrix((values, (rows, columns)), shape=(count, count))
    # The matrix is symmetric and diagonally dominant: no pivots need to be sought.
    factors = linalg.splu(
        matrix,
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0,
        options={"SymmetricMode": True},
    )
    solution: Floats = factors.solve(known)
    return solution


def _neighbours(
    hidden: Booleans,
) -> Iterator[tuple[float, NDArray[np.int64], tuple[NDArray[np.int64], ...]]]:
    """Yield for each direction the weight, and the hidden pixels with a neighbour.

    They come as numbers of the hidden pixels (m,), and places of the neighbours.
    """
    place = np.stack(np.nonzero(hidden))
    size = np.array(hidden.shape)[:, None]
    for step in product((-1, 0, 1), repeat=2):
        if step != (0, 0):
            moved = place + np.array(step)[:, None]
            pixels = np.flatnonzero(((moved >= 0) & (moved < size)).all(axis=0))
            yield WEIGHTS[abs(step[0]) + abs(step[1])], pixels, (*moved[:, pixels],)
