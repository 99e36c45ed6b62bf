"""Axioms that attributions are expected to satisfy."""

from typing import Any

import numpy as np

from keras_explainable.metrics.map_arrays import Booleans, Floats
from keras_explainable.metrics.map_batch import MapBatch
from keras_explainable.metrics.orientation import lower_is_better
from keras_explainable.metrics.perturbing_metric import perturbing_metric
from keras_explainable.sampling.schedule import Copies


@lower_is_better
@perturbing_metric(logits=None)
def completeness_gap(batch: MapBatch, *, baseline: Any = 0.0) -> Floats:
    """Return how far each map is from adding up to the score (N, K).

        score = |sum_i map_i - (f(x) - f(baseline))|

    It is 0 for the attributions of a linear model, and small for integrated gradients
    with enough steps, in units of the output. The baseline must be that of the method.
    Lower is better. The arguments and errors are those of ``ke.metrics.deletion``, but
    ``logits=None``, the default, takes what ``ke.explain`` explains: logits, or the
    value of a target.

    Reference: Sundararajan et al., 2017, https://arxiv.org/abs/1703.01365
    """

    def everything(copies: Copies) -> Booleans:
        return np.ones((len(copies.image), *batch.shape), bool)

    [at_baseline] = np.moveaxis(
        batch.scores_of_copies(1, everything, batch.replacement(baseline)), 1, 0
    )
    total = batch.maps.reshape(batch.used, -1, batch.units).sum(axis=1)
    return np.abs(total - (batch.scores - at_baseline))
