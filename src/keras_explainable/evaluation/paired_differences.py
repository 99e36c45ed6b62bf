"""Confidence intervals of means over images, by the bootstrap."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_explainable.common.optional_packages import require
from keras_explainable.metrics.map_arrays import Floats

#: Resamples of the images for each interval.
RESAMPLES = 1999


def fewest_images(confidence: float) -> int:
    """Return the number of images below which there is no interval.

    Differences without a true mean all have the same sign by chance with the
    probability 2^(1 - n); no resampling of so few can be more certain.
    """
    return int(np.ceil(1 - np.log2(1 - confidence)))


def interval(values: Floats, confidence: float = 0.95) -> Floats:
    """Return the interval of the mean of values (..., N), (..., 2); NaN if too few.

    Resampled means vary less than means of new images, by (N - 1) / N, and know no
    uncertainty of the spread itself: the percentiles are taken further out, to where
    Student's t distribution has them. Resamples are the same for the same N.

    Reference: Hesterberg, 2015, https://arxiv.org/abs/1411.5279
    """
    count = values.shape[-1]
    if count < fewest_images(confidence):
        return np.full((*values.shape[:-1], 2), np.nan)
    stats = require("scipy.stats", "metrics")
    far = stats.t.ppf((1 + confidence) / 2, count - 1) * np.sqrt(count / (count - 1))
    found = stats.bootstrap(
        (values,),
        np.mean,
        axis=-1,
        n_resamples=RESAMPLES,
        batch=100,
        confidence_level=1 - 2 * stats.norm.cdf(-far),
        method="percentile",
        random_state=np.random.default_rng(count),
    ).confidence_interval
    return np.stack([found.low, found.high], axis=-1)


@dataclass(frozen=True)
class Difference:
    """By how much the scores of two methods differ on the same images.

    Attributes:
        method: Name of one method.
        other: Name of the other one.
        metric: Name of the metric.
        mean: Mean of the method's scores minus the other's.
        low: Lower end of the confidence interval of the mean; NaN for too few images.
        high: Upper end.
        images: Number of images for which both have a score.
        confidence: That of the interval.
    """

    method: str
    other: str
    metric: str
    mean: float
    low: float
    high: float
    images: int
    confidence: float

    @property
    def told_apart(self) -> bool:
        """Whether the interval excludes 0."""
        return bool(self.low > 0 or self.high < 0)

    def __str__(self) -> str:
        names = f"{self.metric} of {self.method} − {self.other}"
        if not self.images:
            return f"{names}: no image has both scores"
        if np.isnan(self.low):
            least = fewest_images(self.confidence)
            reason = f"no interval, as it needs {least} images"
            return f"{names}: {self.mean:.3g} ({reason}; received {self.images})"
        text = f"{names}: {self.mean:.3g} ({self.low:.3g} to {self.high:.3g})"
        return text if self.told_apart else f"{text}, cannot be told apart"


def difference(
    names: tuple[str, str, str], one: Any, other: Any, confidence: float
) -> Difference:
    """Return the difference of scores (N,) of the same images, NaN where missing."""
    values = np.asarray(one) - np.asarray(other)
    values = values[np.isfinite(values)]
    if not values.size:
        return Difference(*names, np.nan, np.nan, np.nan, 0, confidence)
    low, high = interval(values, confidence)
    mean = float(values.mean())
    return Difference(*names, mean, float(low), float(high), values.size, confidence)
