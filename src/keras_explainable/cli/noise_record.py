"""The record of the noise of an image."""

import numpy as np

import keras_explainable as ke
from keras_explainable.report.explanation_records import Noise


def noise_record(stats: ke.Stats, number: int, level: float) -> Noise:
    """Return the record of image ``number``, with its noise level."""
    return Noise(
        sigma=float(stats.sigma[number, 0]),
        id=int(stats.ids[number]),
        repetitions=int(stats.repetitions[number]),
        estimator=stats.estimator,
        relative_error=tuple(map(_known, stats.relative_error[number])),
        flip_rate=_known(stats.flip_rate[number]),
        noise_level=level,
    )


def _known(number: np.floating) -> float | None:
    return float(number) if np.isfinite(number) else None
