"""Scores along the removal of pixels in the order of a map."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.common.structures import take_rows
from keras_explainable.metrics.map_arrays import Floats
from keras_explainable.metrics.map_batch import MapBatch
from keras_explainable.metrics.pixel_order import pixel_ranks
from keras_explainable.sampling.schedule import Copies

#: Orders of removal: largest pixels first, or smallest; or largest ones inserted first.
ORDERS = ("morf", "lerf", "insertion")


def curves_of(
    batch: MapBatch, orders: Sequence[str], steps: int, baseline: Any
) -> tuple[Floats, Floats]:
    """Return a curve for each order (N, orders, S + 1, K), and fractions (S + 1,)."""
    counts = counts_of(batch.pixels, steps)
    return scores_along(batch, orders, counts, baseline), counts / batch.pixels


def counts_of(pixels: int, steps: int) -> NDArray[np.int64]:
    """Return numbers of pixels (S + 1,) from none to all, as equal steps as can be."""
    checks.integer("steps", steps, 1)
    return np.unique(np.rint(np.linspace(0, pixels, steps + 1)).astype("int64"))


def scores_along(
    batch: MapBatch, orders: Sequence[str], counts: NDArray[np.int64], baseline: Any
) -> Floats:
    """Return the scores (N, orders, counts, K) after counts of pixels, in each order.

    Each unit has copies of its own, in the order of its map.
    """
    ids = batch.ids[: batch.used]
    ranks = pixel_ranks(batch.maps, ids, batch.seed)
    ranks = ops.convert_to_tensor(ranks.reshape(-1, *batch.shape))
    between = np.stack([_hidden_ranks(each, counts, batch.pixels) for each in orders])
    copies_of_unit = len(orders) * len(counts)
    units = np.repeat(np.arange(batch.units), copies_of_unit)

    def hide(copies: Copies) -> Any:
        rank = take_rows(ranks, copies.image * batch.units + units[copies.draw])
        bounds = between.reshape(-1, 2)[copies.draw % copies_of_unit]
        low, high = bounds.T.reshape(2, -1, *(1,) * len(batch.shape)).astype("int32")
        return ops.logical_and(ops.greater_equal(rank, low), ops.less(rank, high))

    scores = batch.scores_of_copies(
        len(units), hide, batch.replacement(baseline), units
    )
    shape = batch.used, batch.units, len(orders), len(counts)
    return np.moveaxis(scores.reshape(shape), 1, -1)


def _hidden_ranks(
    order: str, counts: NDArray[np.int64], pixels: int
) -> NDArray[np.int64]:
    """Return the first hidden rank and the first one after, for each count (S, 2)."""
    none, every = np.zeros_like(counts), np.full_like(counts, pixels)
    bounds = {
        "morf": (none, counts),
        "lerf": (pixels - counts, every),
        "insertion": (counts, every),
    }
    return np.stack(bounds[order], axis=-1)


def area_under(curves: Floats, fractions: Floats) -> Floats:
    """Return the areas (N, K) under curves (N, S, K) of straight lines."""
    middles = (curves[:, 1:] + curves[:, :-1]) / 2
    return np.einsum("nsk,s->nk", middles, np.diff(fractions))
