"""Explains images batch by batch and adds the results to a report."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

import keras_explainable as ke
from keras_explainable.cli.live_progress import LiveProgress
from keras_explainable.cli.predictions import Units, predict
from keras_explainable.cli.read_batch import NamedImage, fail, groups_of_one_size
from keras_explainable.cli.read_images import Floats
from keras_explainable.cli.run import Job
from keras_explainable.cli.settings import LAYER_METHODS, NOISE_METHODS, Settings
from keras_explainable.report.explanation_records import Explanation, Maps, Noise
from keras_explainable.report.report_writer import Report

_TOP_PREDICTIONS = 5  # recorded for each image


def explain(job: Job, report: Report, progress: LiveProgress) -> None:
    """Explain images into a report; memory does not grow with their number.

    Images that cannot be read, or that the network does not accept, are recorded as
    failures. Images that the report takes over from an earlier run are skipped.
    """
    given = job.sources, job.settings.batch_size, job.loaded.size
    for images in groups_of_one_size(*given, report, progress):
        _explain_into(report, images, job, progress)


def _explain_into(
    report: Report, images: Sequence[NamedImage], job: Job, progress: LiveProgress
) -> None:
    try:
        explanations = _explanations(images, job, progress)
    except Exception as error:  # Backends have error types of their own.
        fail(report, images, error, "explained")
        return
    for image, explanation in zip(images, explanations, strict=True):
        report.add(image.key, explanation)


def _explanations(
    images: Sequence[NamedImage], job: Job, progress: LiveProgress
) -> list[Explanation]:
    """Return the predictions and maps of images of one size."""
    pixels = np.stack([image.pixels for image in images])
    inputs = job.loaded.prepare(pixels)
    predictions = predict(job.loaded, inputs, job.settings.batch_size)
    y = job.settings.target_units(predictions.logits)
    ids = [zlib.crc32(image.tobytes()) for image in pixels]
    level = job.settings.noise_level
    results = _compute_maps(job, inputs, y, ids, progress)
    return [
        Explanation(
            name=image.name,
            image=image.pixels,
            picture=image.read.picture,
            seen=image.read.seen,
            explained=predictions.of_units(number, y[number]),
            predictions=predictions.top(number, _TOP_PREDICTIONS),
            maps=tuple(
                Maps(method, maps[number], _noise_record(stats, number, level))
                for method, (maps, stats) in results.items()
            ),
        )
        for number, image in enumerate(images)
    ]


def _compute_maps(
    job: Job, inputs: Floats, y: Units, ids: list[int], progress: LiveProgress
) -> dict[str, tuple[Floats, ke.Stats | None]]:
    """Return each method's normalised maps, shape (N, H, W, K), and statistics."""
    results, methods = {}, job.settings.methods
    for step, method in enumerate(methods):
        progress.start_step(len(inputs), step, len(methods))
        params = _method_params(method, ids, job.settings) | {"callbacks": [progress]}
        _, maps, *stats = getattr(ke, method)(job.loaded.model, inputs, y, **params)
        results[method] = maps, stats[0] if stats else None
    return results


def _method_params(method: str, ids: list[int], settings: Settings) -> dict[str, Any]:
    """Return the keyword arguments of a method.

    The noise of an image follows from its pixels (``ids``), so that its map does not
    depend on the other images or on their order.
    """
    params: dict[str, Any] = {"batch_size": settings.batch_size, "verbose": 0}
    if method in NOISE_METHODS:
        params |= {
            "repetitions": settings.repetitions,
            "noise_level": settings.noise_level,
            "tolerance": settings.tolerance,
            "seed": settings.seed,
            "ids": ids,
            "return_stats": True,
        }
    if method == "smoothgrad":
        params["estimator"] = settings.estimator
    if method in LAYER_METHODS:
        params["layer"] = settings.layer
    return params


def _noise_record(stats: ke.Stats | None, number: int, level: float) -> Noise | None:
    """Return the noise statistics of image ``number``; None for methods without."""
    if stats is None:
        return None
    return Noise(
        sigma=float(stats.sigma[number, 0]),
        id=int(stats.ids[number]),
        repetitions=int(stats.repetitions[number]),
        estimator=stats.estimator,
        relative_error=tuple(
            float(error) if np.isfinite(error) else None
            for error in stats.relative_error[number]
        ),
        flip_rate=float(stats.flip_rate[number]),
        noise_level=level,
    )
