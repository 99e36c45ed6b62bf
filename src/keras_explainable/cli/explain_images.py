"""Explains images batch by batch and adds the results to a report."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

import keras_explainable as ke
from keras_explainable.cli import swept_maps
from keras_explainable.cli.live_progress import LiveProgress
from keras_explainable.cli.noise_record import noise_record
from keras_explainable.cli.predictions import Units, predict
from keras_explainable.cli.read_batch import NamedImage, fail, groups_of_one_size
from keras_explainable.cli.read_images import Floats
from keras_explainable.cli.run import Job
from keras_explainable.cli.settings import LAYER_METHODS, NOISE_METHODS, Settings
from keras_explainable.report.explanation_records import Explanation, Maps
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
    maps = _compute_maps(job, inputs, y, ids, progress)
    return [
        Explanation(
            name=image.name,
            image=image.pixels,
            picture=image.read.picture,
            seen=image.read.seen,
            explained=predictions.of_units(number, y[number]),
            predictions=predictions.top(number, _TOP_PREDICTIONS),
            maps=tuple(of_images[number] for of_images in maps),
        )
        for number, image in enumerate(images)
    ]


def _compute_maps(
    job: Job, inputs: Floats, y: Units, ids: list[int], progress: LiveProgress
) -> list[list[Maps]]:
    """Return each method's maps of each image."""
    found, settings = [], job.settings
    for step, method in enumerate(settings.methods):
        progress.start_step(len(inputs), step, len(settings.methods))
        params = _method_params(method, ids, settings) | {"callbacks": [progress]}
        given = method, job.loaded.model, inputs, y
        if settings.grid and method in NOISE_METHODS:
            found.append(swept_maps.compute(*given, settings.grid, params))
        else:
            found.append(_maps_of(*given, settings.noise_level, params))
    return found


def _maps_of(
    method: str,
    model: Any,
    inputs: Floats,
    y: Units,
    level: float,
    params: dict[str, Any],
) -> list[Maps]:
    """Return the normalised maps of each image."""
    _, maps, *stats = getattr(ke, method)(model, inputs, y, **params)
    return [
        Maps(method, one, noise_record(stats[0], number, level) if stats else None)
        for number, one in enumerate(maps)
    ]


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
        params["estimator"] = "sampled" if settings.sweep else settings.estimator
    if method in LAYER_METHODS:
        params["layer"] = settings.layer
    return params
