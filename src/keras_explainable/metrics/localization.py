"""Localisation: how much of a map lies on the object that it explains.

All metrics take maps (N, H, W, K) and masks, and return scores (N, K) from 0 to 1, of
which higher ones are better. Maps are compared with their signs: pass magnitudes, such
as ``abs(maps)``, of methods whose negative values also count as evidence. The scores do
not change if a map is multiplied by a positive number.

Equal values of a map are treated as if they were put into order at random: the scores
are expected values. A constant map therefore gets the score of a random one.
"""

from typing import Any

import numpy as np

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.metrics.map_arrays import (
    Booleans,
    Floats,
    checked_masks,
    maps_alone,
    share,
)
from keras_explainable.metrics.orientation import higher_is_better


@higher_is_better
def pointing_game(maps: Any, masks: Any, *, tolerance: float = 0) -> Floats:
    """Return whether the largest value of each map lies inside the mask (N, K).

        score = 1 if the mask has a pixel within ``tolerance`` of the maximum, else 0

    A random map scores the share of the image that the mask takes. If several pixels
    share the largest value, the score is the fraction of them that lie inside. Higher
    is better.

    Args:
        maps: Maps (N, H, W, K), or with other spatial axes.
        masks: Masks (N, H, W) of the objects, or (N, H, W, K) for each unit, of
            booleans or of numbers that are not 0 inside. Or boxes (N, 4) of integers,
            (top, left, bottom, right) in pixels, without the last row and column.
        tolerance: Distance from the mask in pixels that still counts as inside. The
            paper uses 15.

    Raises:
        TypeError: If maps or masks are not real numbers, or boxes not integers.
        ValueError: If a shape does not fit, a value is not finite, or a mask is empty.
        ImportError: If there is a tolerance, and SciPy is not installed.

    Reference: Zhang et al., 2018, https://arxiv.org/abs/1608.00507
    """
    checks.number("tolerance", tolerance, 0)
    maps = maps_alone(maps)
    masks = checked_masks(masks, maps.shape)
    values, inside = _flat(maps), _flat(_enlarged(masks, tolerance))
    maxima = values == values.max(axis=1, keepdims=True)
    return share((maxima & inside).sum(axis=1), maxima.sum(axis=1))


@higher_is_better
def relevance_mass_accuracy(maps: Any, masks: Any) -> Floats:
    """Return the share of each map's positive values that is inside the mask (N, K).

        score = sum of max(map, 0) inside / sum of max(map, 0)

    It is 1 for a map that is positive inside the mask only. A random map scores the
    share of the image that the mask takes. NaN for a map without positive values.
    Higher is better. Arguments and errors are those of ``pointing_game``.

    Reference: Arras et al., 2022, https://arxiv.org/abs/2003.07258
    """
    values, inside = _checked(maps, masks)
    positive = np.maximum(values, 0)
    return share((positive * inside).sum(axis=1), positive.sum(axis=1))


@higher_is_better
def relevance_rank_accuracy(maps: Any, masks: Any) -> Floats:
    """Return the share of each map's highest pixels that are inside the mask (N, K).

        score = share of the n highest pixels that are inside,   n = pixels of the mask

    A random map scores the share of the image that the mask takes. Higher is better.
    Arguments and errors are those of ``pointing_game``.

    Reference: Arras et al., 2022, https://arxiv.org/abs/2003.07258
    """
    values, inside = _checked(maps, masks)
    size = inside.sum(axis=1, keepdims=True)
    size = np.broadcast_to(size, (*size.shape[:2], values.shape[-1]))
    lowest = np.take_along_axis(-np.sort(-values, axis=1), size - 1, axis=1)
    above, level = values > lowest, values == lowest
    left = size[:, 0] - above.sum(axis=1)  # Pixels still to be taken of those at level.
    hits = (above & inside).sum(axis=1)
    hits = hits + left * share((level & inside).sum(axis=1), level.sum(axis=1))
    return share(hits, size[:, 0])


@higher_is_better
def auc(maps: Any, masks: Any) -> Floats:
    """Return the area under the ROC curve of each map as a mask detector (N, K).

        score = P(map_i > map_j) + P(map_i = map_j) / 2,   i inside, j outside the mask

    A random map scores 0.5. NaN if the mask takes the whole image. Higher is better.
    Arguments and errors are those of ``pointing_game``. It needs SciPy.

    Reference: Fawcett, 2006, https://doi.org/10.1016/j.patrec.2005.10.010
    """
    values, inside = _checked(maps, masks)
    ranks = require("scipy.stats", "metrics").rankdata(values, axis=1)
    size = inside.sum(axis=1)
    in_order = (ranks * inside).sum(axis=1) - size * (size + 1) / 2
    pairs = size * (values.shape[1] - size)
    return share(in_order, np.broadcast_to(pairs, in_order.shape))


@higher_is_better
def best_iou(maps: Any, masks: Any) -> Floats:
    """Return the best intersection over union of mask and thresholded map (N, K).

        score = max over t of |S_t and mask| / |S_t or mask|,   S_t = {map >= t}

    All thresholds are tried. A constant map scores the share of the image that the mask
    takes. Higher is better. Arguments and errors are those of ``pointing_game``.

    Reference: Choe et al., 2020, https://arxiv.org/abs/2001.07437
    """
    values, inside = _checked(maps, masks)
    order = np.argsort(-values, axis=1)
    inside = np.broadcast_to(inside, values.shape)
    hits = np.cumsum(np.take_along_axis(inside, order, axis=1), axis=1)
    count = np.arange(1, values.shape[1] + 1)[:, None]
    iou = hits / (count + hits[:, -1:] - hits)
    ordered = np.take_along_axis(values, order, axis=1)
    iou[:, :-1][ordered[:, :-1] == ordered[:, 1:]] = 0  # No threshold lies in between.
    return iou.max(axis=1)


def _checked(maps: Any, masks: Any) -> tuple[Floats, Booleans]:
    """Return maps (N, P, K), and which pixels are inside, (N, P, 1) or (N, P, K)."""
    maps = maps_alone(maps)
    return _flat(maps), _flat(checked_masks(masks, maps.shape))


def _flat(maps: Any) -> Any:
    return maps.reshape(len(maps), -1, maps.shape[-1])


def _enlarged(masks: Booleans, tolerance: float) -> Booleans:
    """Return masks (N, ..., K) with all pixels up to a distance from them."""
    if not tolerance:
        return masks
    distance = require("scipy.ndimage", "metrics").distance_transform_edt
    units = range(masks.shape[-1])
    near = [[distance(~one[..., k]) <= tolerance for k in units] for one in masks]
    return np.moveaxis(np.array(near), 1, -1)
