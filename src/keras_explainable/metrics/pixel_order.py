"""The order of pixels by their values in a map."""

import numpy as np
from numpy.typing import NDArray

from keras_explainable.metrics.map_arrays import Floats
from keras_explainable.metrics.random_draws import TIES, generator


def pixel_ranks(maps: Floats, ids: NDArray[np.int64], seed: int) -> NDArray[np.int32]:
    """Return the rank of each pixel, 0 for the largest value, (N, K, ...).

    Equal values are put into an order that is random, but the same for the same id and
    seed. Their order in memory would be that of rows from the top.

    Args:
        maps: Maps (N, ..., K).
        ids: Ids of the images (N,).
        seed: Integer >= 0.
    """
    count, units = len(maps), maps.shape[-1]
    flat = maps.reshape(count, -1, units)
    ranks = np.empty(flat.shape, "int32")
    numbers = np.arange(flat.shape[1], dtype="int32")[:, None]
    for one, image_id, found in zip(flat, ids, ranks, strict=True):
        shuffled = generator(TIES, seed, image_id).permutation(len(one))
        order = shuffled[np.argsort(-one[shuffled], axis=0, kind="stable")]
        np.put_along_axis(found, order, numbers, axis=0)
    return np.moveaxis(ranks, -1, 1).reshape(count, units, *maps.shape[1:-1])
