"""How similar a map is to a reference, by four metrics.

- squared: the squared error over the squared norm of the reference, both without the
  squared error of the reference itself;
- cosine: the cosine similarity;
- ssim, ranks: the structural similarity and the rank correlation of the maps as they
  are displayed, that is, of the mean absolute value over the channels.
"""

from functools import partial

import numpy as np
from scipy import ndimage, stats

METRICS = ("squared", "cosine", "ssim", "ranks")


def similarity(maps, reference, reference_error):
    """Return the METRICS, each (photos,), of maps (photos, H, W, C).

    Args:
        maps: Maps to compare, shape (photos, H, W, C).
        reference: Reference maps, shape (photos, H, W, C).
        reference_error: Squared errors of the reference maps, shape (photos,).
    """
    size = sum_per_map(reference**2) - reference_error
    squared = (sum_per_map((maps - reference) ** 2) - reference_error) / size
    norms = np.sqrt(sum_per_map(maps**2) * sum_per_map(reference**2))
    cosine = sum_per_map(maps * reference) / norms
    displayed = [np.abs(each).mean(axis=-1) for each in (maps, reference)]
    pairs = [tuple(map(_normalized, pair)) for pair in zip(*displayed, strict=True)]
    ssim = [_ssim(*pair) for pair in pairs]
    ranks = [stats.spearmanr(one.ravel(), other.ravel())[0] for one, other in pairs]
    return [squared, cosine, np.array(ssim), np.array(ranks)]


def sum_per_map(values):
    return values.reshape(len(values), -1).sum(axis=1, dtype="float64")


def _normalized(image):
    return np.clip(image / np.percentile(image, 99), 0, 1)


def _ssim(one, other):
    """Return the structural similarity of images in 0..1 (Wang et al., 2004)."""
    blur = partial(ndimage.gaussian_filter, sigma=1.5, truncate=3.5)
    means = blur(one), blur(other)
    covariances = [blur(a * b) - m * n for a, b, m, n in (
        (one, one, means[0], means[0]),
        (other, other, means[1], means[1]),
        (one, other, *means),
    )]  # fmt: skip
    product, squares = means[0] * means[1], means[0] ** 2 + means[1] ** 2
    luminance = (2 * product + 1e-4) / (squares + 1e-4)
    structure = (2 * covariances[2] + 9e-4) / (covariances[0] + covariances[1] + 9e-4)
    return (luminance * structure).mean()
