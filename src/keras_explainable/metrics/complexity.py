"""Complexity: on how few pixels a map concentrates.

The scores depend on the magnitudes of a map only, and not on its scale. They are NaN
for a map that is zero everywhere.
"""

from typing import Any

import numpy as np

from keras_explainable.common import checks
from keras_explainable.metrics.map_arrays import (
    Floats,
    flat_maps,
    maps_alone,
    share,
)
from keras_explainable.metrics.orientation import higher_is_better, lower_is_better


@higher_is_better
def sparseness(maps: Any) -> Floats:
    """Return the Gini coefficient of the magnitudes of each map (N, K).

        score = sum_i (2 i - P - 1) a_i / (P sum_i a_i),   a_1 <= ... <= a_P

    It is 0 for a map of equal magnitudes, and 1 - 1 / P for a map with a single pixel.
    Higher is better.

    Args:
        maps: Maps (N, H, W, K), or with other spatial axes.

    Raises:
        TypeError: If the maps are not real numbers.
        ValueError: If their shape is wrong or a value is not finite.

    Reference: Chalasani et al., 2020, https://arxiv.org/abs/1810.06583
    """
    magnitudes = np.sort(np.abs(flat_maps(maps_alone(maps))), axis=1)
    count = magnitudes.shape[1]
    weights = 2 * np.arange(1, count + 1) - count - 1
    weighted = np.einsum("p,npk->nk", weights, magnitudes)
    return share(weighted, count * magnitudes.sum(axis=1))


@lower_is_better
def complexity(maps: Any) -> Floats:
    """Return the entropy of the magnitudes of each map, in nats (N, K).

        score = -sum_i p_i ln p_i,   p_i = |map_i| / sum_j |map_j|

    It is 0 for a map with a single pixel, and ln P for a map of P equal magnitudes.
    Lower is better.

    Args:
        maps: Maps (N, H, W, K), or with other spatial axes.

    Raises:
        TypeError: If the maps are not real numbers.
        ValueError: If their shape is wrong or a value is not finite.

    Reference: Bhatt et al., 2020, https://arxiv.org/abs/2005.00631
    """
    magnitudes = np.abs(flat_maps(maps_alone(maps)))
    p = share(magnitudes, magnitudes.sum(axis=1, keepdims=True))
    # An entropy of 0 is otherwise computed as -0.0.
    return np.abs(np.sum(p * np.log(np.where(p > 0, p, 1)), axis=1))


@lower_is_better
def effective_complexity(maps: Any, *, threshold: float = 1e-5) -> Floats:
    """Return the share of pixels of each map that are not negligible (N, K).

        score = share of pixels with |map_i| > threshold * max_j |map_j|

    Lower is better.

    Args:
        maps: Maps (N, H, W, K), or with other spatial axes.
        threshold: Largest magnitude of a negligible pixel, as a fraction of the largest
            magnitude of the map; below 1.

    Raises:
        TypeError: If the maps are not real numbers.
        ValueError: If their shape is wrong, a value is not finite, or ``threshold`` is
            out of range.

    Reference: after Nguyen & Martinez, 2020, https://arxiv.org/abs/2007.07584
    """
    checks.number("threshold", threshold, 0)
    if threshold >= 1:
        raise ValueError(f"`threshold` must be below 1; received {threshold!r}.")
    magnitudes = np.abs(flat_maps(maps_alone(maps)))
    top = magnitudes.max(axis=1, keepdims=True)
    large = np.mean(magnitudes > threshold * top, axis=1)
    return np.where(top[:, 0] > 0, large, np.nan)
