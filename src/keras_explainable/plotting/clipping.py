"""Clips the highest values of maps, as pictures show them."""

import numpy as np

from keras_explainable.common import checks
from keras_explainable.plotting.colormaps import Floats

#: Percentile of a map's magnitude at which it is clipped.
PERCENTILE = 99.0

_VISIBLE = 0.9  # Fraction of the largest magnitude; a higher limit changes no colour.


def clip_highest(map_: Floats, percentile: float = PERCENTILE) -> Floats:
    """Return a map whose magnitude is clipped at a percentile.

    A few pixels of a gradient map are far larger than the others, which would be drawn
    like zeros. Smooth maps, and maps of fewer than a hundred values, hardly change.

    Args:
        map_: Values of any shape; NaN and infinity stay as they are.
        percentile: Percentile of the finite magnitudes, 0..100; 100 clips nothing.
            If it is zero, as for a map with very few values, nothing is clipped.
    """
    limit = _limit(map_, percentile)
    return np.where(np.isfinite(map_), np.clip(map_, -limit, limit), map_)


def check(percentile: float) -> None:
    """Raise ValueError unless a percentile is at least 1 and at most 100."""
    checks.number("percentile", percentile, 0)
    if 0 < percentile < 1:
        raise ValueError(
            "`percentile` must be in percent, such as 99; "
            f"received {percentile!r}. Did you mean {100 * percentile:g}?"
        )
    if not 0 < percentile <= 100:
        raise ValueError(
            f"`percentile` must be above 0 and at most 100; received {percentile!r}."
        )


def is_clipped(map_: Floats, percentile: float = PERCENTILE) -> bool:
    """Return whether ``clip_highest`` changes the colours of a map visibly."""
    return bool(_limit(map_, percentile) < _VISIBLE * _limit(map_, 100))


def _limit(map_: Floats, percentile: float) -> float:
    magnitude = np.abs(map_[np.isfinite(map_)])
    if not magnitude.size:
        return 0.0
    # A value of the map, not one between two of them: 1 % of 50 values is none.
    limit = np.percentile(magnitude, percentile, method="higher")
    return float(limit or magnitude.max())
