"""From sources to a report, a batch at a time."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import keras_explainable as ke
from keras_explainable import images
from keras_explainable.cli.predicting import predict
from keras_explainable.cli.progress import Watcher
from keras_explainable.cli.settings import Settings
from keras_explainable.cli.sources import Source
from keras_explainable.models import Subject
from keras_explainable.report import Explanation, Noise, Report

__all__ = ["explain"]

_LISTED = 5  # predictions told for each image

Floats = NDArray[np.float32]
Picture = tuple[str, images.Pixels]


def explain(
    sources: Sequence[Source],
    subject: Subject,
    settings: Settings,
    report: Report,
    watcher: Watcher,
) -> None:
    """Explain images into a report; memory does not grow with their number.

    Images that cannot be read, or that the network cannot take, are recorded as
    failures, and the others are done.
    """
    for start in range(0, len(sources), settings.batch_size):
        batch = sources[start : start + settings.batch_size]
        pictures = list(_readable(batch, subject.size, report))
        watcher.finished(len(batch) - len(pictures))
        # A network that takes any size gets pictures of one size at a time.
        for _, group in itertools.groupby(pictures, lambda picture: picture[1].shape):
            together = list(group)
            watcher.started(len(together))
            _explain_into(report, together, subject, settings, watcher)
            watcher.finished(len(together))


def _readable(
    batch: Sequence[Source], size: tuple[int, int] | None, report: Report
) -> Iterator[Picture]:
    for source in batch:
        try:
            yield source.name, source.read(size)
        except ValueError as error:
            report.fail(source.name, str(error))


def _explain_into(
    report: Report,
    pictures: Sequence[Picture],
    subject: Subject,
    settings: Settings,
    watcher: Watcher,
) -> None:
    try:
        explanations = _explanations(pictures, subject, settings, watcher)
    except Exception as error:  # Each backend has its own, and one for lack of memory.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        for name, _ in pictures:
            report.fail(name, f"could not be explained ({reason})")
        return
    for explanation in explanations:
        report.add(explanation)


def _explanations(
    pictures: Sequence[Picture],
    subject: Subject,
    settings: Settings,
    watcher: Watcher,
) -> list[Explanation]:
    """Return all that is known of pictures of one size."""
    pixels = np.stack([image for _, image in pictures])
    inputs = subject.prepare(pixels)
    predictions = predict(subject, inputs, settings.batch_size)
    y = settings.units(predictions.logits)
    ids = [zlib.crc32(image.tobytes()) for image in pixels]
    maps, stats = _maps(subject.model, inputs, y, ids, settings, watcher)
    return [
        Explanation(
            name=name,
            image=image,
            maps=maps[number],
            explained=predictions.of(number, y[number]),
            predictions=predictions.best(number, _LISTED),
            noise=None if stats is None else _noise(stats, number),
        )
        for number, (name, image) in enumerate(pictures)
    ]


def _maps(
    model: Any,
    inputs: Floats,
    y: NDArray[np.int64],
    ids: list[int],
    settings: Settings,
    watcher: Watcher,
) -> tuple[Floats, ke.Stats | None]:
    """Return normalised maps (N, H, W, K), and how sure they are.

    The noise of an image follows from its pixels (``ids``): its map is the same
    whatever other images are explained with it, and in whatever order.
    """
    common: dict[str, Any] = {
        "batch_size": settings.batch_size,
        "verbose": 0,
        "callbacks": [watcher],
    }
    method = getattr(ke, settings.method)
    if not settings.noisy:
        return method(model, inputs, y, **common)[1], None
    _, maps, stats = method(
        model,
        inputs,
        y,
        repetitions=settings.repetitions,
        noise_level=settings.noise_level,
        tolerance=settings.tolerance,
        seed=settings.seed,
        ids=ids,
        return_stats=True,
        **common,
    )
    return maps, stats


def _noise(stats: ke.Stats, number: int) -> Noise:
    """Return what is known of the noise of one picture."""
    return Noise(
        sigma=float(stats.sigma[number, 0]),
        id=int(stats.ids[number]),
        repetitions=int(stats.repetitions[number]),
        relative_error=tuple(
            float(error) if np.isfinite(error) else None
            for error in stats.relative_error[number]
        ),
        flip_rate=float(stats.flip_rate[number]),
    )
