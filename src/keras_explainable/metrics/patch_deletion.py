"""Faithfulness: whether patches with large sums are those whose removal matters."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.metrics.attribution_sums import correlation
from keras_explainable.metrics.map_arrays import Booleans, Floats
from keras_explainable.metrics.map_batch import MapBatch
from keras_explainable.metrics.orientation import higher_is_better
from keras_explainable.metrics.perturbing_metric import perturbing_metric
from keras_explainable.sampling.schedule import Copies


@higher_is_better
@perturbing_metric(logits=None)
def single_deletion(batch: MapBatch, *, grid: int = 4, baseline: Any = 0.0) -> Floats:
    """Return the rank correlation of sums over patches with drops of the score (N, K).

        score = corr over patches S of (ranks of sum_{i in S} map_i,
                                        ranks of f(x) - f(x without S))

    The patches divide the input into a grid; one at a time is removed. The correlation
    is Spearman's: 1 for the attributions of a linear model, 0 on average for a random
    map. NaN if the sums or the drops are all equal. Higher is better.

    With a network that was fine-tuned on images without some of these patches, this is
    the in-domain single-deletion score (IDSDS), whose removed patches are nothing new
    for the network.

    Args:
        grid: Number of patches along each spatial axis, at least 2.

    The other arguments and the errors are those of ``ke.metrics.deletion``, but
    ``logits=None``, the default, takes what ``ke.explain`` explains: logits, or the
    value of a target. SciPy must be installed.

    Reference: Hesse et al., 2024, https://arxiv.org/abs/2407.11910
    """
    rank = require("scipy.stats", "metrics").rankdata
    checks.integer("grid", grid, 2, min(batch.shape))
    patches = _patches(batch.shape, grid)
    count = grid ** len(batch.shape)

    def hide(copies: Copies) -> Booleans:
        return patches == copies.draw.reshape(-1, *(1,) * len(batch.shape))

    scores = batch.scores_of_copies(count, hide, batch.replacement(baseline))
    of_patch = patches.ravel() == np.arange(count)[:, None]
    flat = batch.maps.reshape(batch.used, -1, batch.units)
    sums = np.stack([flat[:, inside].sum(axis=1) for inside in of_patch], axis=1)
    drops = batch.scores[:, None] - scores
    return correlation(*(rank(values, axis=1) for values in (sums, drops)))


def _patches(shape: tuple[int, ...], grid: int) -> NDArray[np.int64]:
    """Return the number of the patch of each pixel, in a grid over all axes."""
    places = np.indices(shape)
    numbers = np.zeros(shape, "int64")
    for place, side in zip(places, shape, strict=True):
        numbers = numbers * grid + place * grid // side
    return numbers
