"""Scores the maps of images batch by batch and adds the results to a report."""

import io
import warnings
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

import keras_explainable as ke
from keras_explainable.cli.evaluation_run import EvaluationJob
from keras_explainable.cli.live_progress import LiveProgress
from keras_explainable.cli.predictions import predict
from keras_explainable.cli.read_batch import NamedImage, fail, groups_of_one_size
from keras_explainable.evaluation import evaluation_files
from keras_explainable.report.evaluation_report import EvaluationReport, ScoreResults

_IMAGES = 8  # that are scored, and stored, at once


def evaluate(
    job: EvaluationJob, report: EvaluationReport, progress: LiveProgress
) -> None:
    """Score images into a report, as ``explain_images.explain`` explains them."""
    taken = set[int]()
    count = min(job.settings.maps.batch_size, _IMAGES)
    given = job.sources, count, job.loaded.size
    for images in groups_of_one_size(*given, report, progress):
        progress.start_step(len(images))
        ids = [_new_id(image, taken) for image in images]
        try:
            _score_into(report, images, ids, job, progress)
        except Exception as error:  # Backends have error types of their own.
            fail(report, images, error, "scored")


def _new_id(image: NamedImage, taken: set[int]) -> int:
    """Return a number that follows from the pixels, and is another for each image."""
    number = zlib.crc32(image.pixels.tobytes())
    while number in taken:
        number += 1
    taken.add(number)
    return number


def _score_into(
    report: EvaluationReport,
    images: Sequence[NamedImage],
    ids: list[int],
    job: EvaluationJob,
    progress: LiveProgress,
) -> None:
    settings = job.settings
    inputs = job.loaded.prepare(np.stack([image.pixels for image in images]))
    logits = predict(job.loaded, inputs, settings.maps.batch_size).logits
    units = settings.maps.target_units(logits)
    masks = np.stack([x.mask for x in images]) if settings.need_masks else None
    found = _evaluation(job, inputs, units, masks, ids, progress)
    for number, image in enumerate(images):
        entry = _entry(image, units[number].tolist(), found, number)
        evaluation_files.write(found.images_at([number]), buffer := io.BytesIO())
        results = ScoreResults(entry, buffer.getvalue())
        report.add(image.key, results, image.pixels, image.read.picture)


def _evaluation(
    job: EvaluationJob,
    inputs: Any,
    units: Any,
    masks: Any,
    ids: list[int],
    progress: LiveProgress,
) -> ke.Evaluation:
    """Return the scores of all images, or raise KeyboardInterrupt for fewer."""
    settings = job.settings
    options: dict[str, Any] = {
        "controls": settings.controls,
        "repetitions": settings.seeds,
        "seed": settings.seed,
        "batch_size": settings.maps.batch_size,
    }
    data = job.loaded.model, inputs, units, list(settings.metrics), masks
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Stopped at ")
        found = ke.evaluate(
            settings.methods(),
            *data,
            ids=ids,
            verbose=0,
            callbacks=[progress],
            **options,
        )
    if found.unfinished_ids or len(found.ids) < len(ids):
        raise KeyboardInterrupt
    return found


def _entry(
    image: NamedImage, units: list[int], found: ke.Evaluation, number: int
) -> dict[str, Any]:
    """Return the manifest's entry of an image, in which None stands for no score."""
    scores = found.scores[..., number]
    return {
        "name": image.name,
        "id": int(found.ids[number]),
        "explained": units,
        "scores": {
            method: {
                metric: float(score) if np.isfinite(score) else None
                for metric, score in zip(found.metrics, row, strict=True)
            }
            for method, row in zip(found.methods, scores, strict=True)
        },
    }
