"""Means and standard errors over images, some of which may have no score."""

from typing import Any

import numpy as np

from keras_explainable.metrics.map_arrays import Floats

#: Relative differences of scores that are due to rounding, in float32.
ROUNDING = 1e-6


def best_rows(scores: Floats, higher_is_better: bool) -> list[int]:
    """Return the rows of scores (M, N) with the best mean, several if they are equal.

    Rows are compared on the images for which all of them have a score, but for rows
    that have none at all; there is no best row if there is no such image.
    """
    finite = np.isfinite(scores)
    scored = finite.any(axis=1)
    common = finite[scored].all(axis=0)
    if not common.any() or not scored.any():
        return []
    means = scores[scored][:, common].mean(axis=1)
    best = means.max() if higher_is_better else means.min()
    equal = np.isclose(means, best, rtol=ROUNDING, atol=0)
    return [int(row) for row in np.flatnonzero(scored)[equal]]


def mean_of_finite(values: Any, axis: int = -1) -> Floats:
    """Return the mean of finite values along an axis; NaN if there are none."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0).sum(axis=axis)
    count = finite.sum(axis=axis)
    unknown = np.full(np.shape(total), np.nan)
    return np.divide(total, count, out=unknown, where=count > 0)


def variance_of_finite(values: Any, axis: int = -1) -> Floats:
    """Return the unbiased variance of finite values; NaN for fewer than two."""
    centred = values - np.expand_dims(mean_of_finite(values, axis), axis)
    count = np.isfinite(values).sum(axis=axis)
    squares = np.where(np.isfinite(centred), centred**2, 0).sum(axis=axis)
    unknown = np.full(np.shape(squares), np.nan)
    return np.divide(squares, count - 1, out=unknown, where=count > 1)


def error_of_mean(values: Any, axis: int = -1) -> Floats:
    """Return the standard error of the mean of finite values along an axis."""
    count = np.isfinite(values).sum(axis=axis)
    return np.sqrt(variance_of_finite(values, axis) / np.maximum(count, 1))


def error_of_draws(samples: Floats, are_common: bool) -> Floats:
    """Return the standard error, due to random draws alone, of a mean over images.

    Args:
        samples: Scores of repeated draws (..., R, N), NaN where there are none.
        are_common: Whether all images share the draws of a repetition.
    """
    return _common_error(samples) if are_common else _own_error(samples)


def _own_error(samples: Floats) -> Floats:
    drawn = np.isfinite(samples).sum(axis=-2)
    highest = np.where(np.isfinite(samples), samples, -np.inf).max(axis=-2)
    lowest = np.where(np.isfinite(samples), samples, np.inf).min(axis=-2)
    known = variance_of_finite(samples, axis=-2) / np.maximum(drawn, 1)
    variances = np.where((highest > lowest) | (drawn < 2), known, 0)  # No rounding.
    images = (drawn > 0).sum(axis=-1)
    missing = ((drawn == 1) & np.isnan(variances)).any(axis=-1)
    error = np.sqrt(mean_of_finite(variances) / np.maximum(images, 1))
    return np.where(missing, np.nan, error)


def _common_error(samples: Floats) -> Floats:
    """Return the error for common draws, of which images may have different numbers.

    Images with the same number share all of their draws. Between groups of others, the
    errors are added, as if these were correlated as much as they can be.
    """
    drawn = np.isfinite(samples).sum(axis=-2)
    images = (drawn > 0).sum(axis=-1)
    total = np.zeros(images.shape)
    for count in np.unique(drawn[drawn > 0]):
        of_group = np.where((drawn == count)[..., None, :], samples, np.nan)
        share = (drawn == count).sum(axis=-1) / np.maximum(images, 1)
        error = error_of_mean(mean_of_finite(of_group))
        total += np.where(share > 0, share * error, 0)
    return np.where(images > 0, total, np.nan)
