"""Sanity check: whether maps become more complex when the weights are random."""

from typing import Any

import numpy as np

from keras_explainable.common import checks
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.metrics.map_arrays import Floats, flat_maps, share
from keras_explainable.metrics.orientation import higher_is_better
from keras_explainable.metrics.randomization import (
    copied,
    explained,
    randomised,
    weights_by_layer,
)
from keras_explainable.targets.target import Target
from keras_explainable.types import Method, Model


@higher_is_better
def efficient_mprt(
    method: Method,
    model: Model,
    x: Any,
    y: Any = None,
    *,
    bins: int = 100,
    seed: int = 0,
    ids: Any = None,
    verbose: str | int = "auto",
    **params: Any,
) -> Floats:
    """Return how much more complex maps become with random weights (N, K).

        score = (H(map_r(x)) - H(map(x))) / H(map(x)),   H = -sum_b p_b ln p_b

    This is the efficient model parameter randomisation test (eMPRT). map_r is the map
    of a copy of the model in which all weights were shuffled, as by ``mprt`` with
    ``order="all"``. p_b is the share of the pixels whose value is in bin b of
    ``bins`` equal ones between the minimum and the maximum of the map, so that the
    score does not change if maps are multiplied by a positive number. A method that
    ignores the weights scores 0. NaN for a constant map(x). Higher is better.

    Args:
        method: Explaining method or shortcut, as for ``mprt``.
        model: Functional or Sequential Keras model with one input.
        x: Inputs (N, H, W, C): an array, list or tensor.
        y: Units, None or a target without data, as for ``ke.explain``.
        bins: Number of bins, at least 2.
        seed: Integer >= 0, of the shuffled weights.
        ids: One integer >= 0 for each image, by default its position.
        verbose: As for ``ke.explain``; progress is counted in images.
        **params: All other parameters of ``ke.explain`` and of the method.

    Returns:
        Scores (N, K), at least -1.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the model cannot be copied or has no weights, or an argument is
            not as described.

    Reference: Hedström et al., 2024, https://arxiv.org/abs/2401.06465
    """
    checks.integer("bins", bins, 2)
    given = method, model, x, y, seed, ids, params
    maps_of, inputs, units = explained(efficient_mprt, *given)
    copy = copied(model, whole=isinstance(units, Target))
    groups = weights_by_layer(copy)
    progress = Progress(model, None, verbose, 1, len(inputs))
    report = progress.of_batch(len(inputs))
    for _ in progress.steps(randomised(groups, "all", seed)):
        found = [_entropy(maps_of(each, inputs, units), bins) for each in (model, copy)]
        report(len(inputs), len(inputs))
    before, after = found
    return share(after - before, before)


def _entropy(maps: Any, bins: int) -> Floats:
    """Return the entropy of the histogram of each map, (N, K)."""
    flat = flat_maps(maps)
    low, high = flat.min(axis=1, keepdims=True), flat.max(axis=1, keepdims=True)
    scaled = share(flat - low, high - low) * bins
    place = np.minimum(np.nan_to_num(scaled), bins - 1).astype("int64")
    shares = np.stack([(place == each).mean(axis=1) for each in range(bins)])
    # The entropy of a single bin is otherwise computed as -0.0.
    return np.abs(np.sum(shares * np.log(np.where(shares > 0, shares, 1)), axis=0))
