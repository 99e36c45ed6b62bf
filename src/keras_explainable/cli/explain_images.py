"""From sources to a report, a batch at a time."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

import keras_explainable as ke
from keras_explainable.cli import read_images
from keras_explainable.cli.find_images import Source
from keras_explainable.cli.live_progress import LiveProgress
from keras_explainable.cli.load_model import LoadedModel
from keras_explainable.cli.predictions import predict
from keras_explainable.cli.printable_text import printable
from keras_explainable.cli.settings import NOISY, SIGNED, Settings
from keras_explainable.report import Explanation, Maps, Noise, Report

__all__ = ["explain"]

_LISTED = 5  # predictions told for each image

Floats = NDArray[np.float32]


class Picture(NamedTuple):
    """A picture to explain, and what it is called, for people and in files."""

    key: str
    name: str
    pixels: read_images.Pixels


def explain(
    sources: Sequence[Source],
    subject: LoadedModel,
    settings: Settings,
    report: Report,
    watcher: LiveProgress,
) -> None:
    """Explain images into a report; memory does not grow with their number.

    Images that cannot be read, or that the network cannot take, are recorded as
    failures, and the others are done; those that the report resumes are not done again.
    """
    for start in range(0, len(sources), settings.batch_size):
        batch = sources[start : start + settings.batch_size]
        pictures = list(_to_explain(batch, subject.size, report))
        watcher.finished(len(batch) - len(pictures))
        # A network that takes any size gets pictures of one size at a time.
        for _, group in itertools.groupby(
            pictures, lambda picture: picture.pixels.shape
        ):
            together = list(group)
            _explain_into(report, together, subject, settings, watcher)
            watcher.finished(len(together))


def _to_explain(
    batch: Sequence[Source], size: tuple[int, int] | None, report: Report
) -> Iterator[Picture]:
    for source in batch:
        key = report.key(source.name)
        try:
            picture = Picture(key, source.name, source.read(size))
        except ValueError as error:
            report.fail(source.name, printable(str(error)))
            continue
        if not report.resumes(*picture):
            yield picture


def _explain_into(
    report: Report,
    pictures: Sequence[Picture],
    subject: LoadedModel,
    settings: Settings,
    watcher: LiveProgress,
) -> None:
    try:
        explanations = _explanations(pictures, subject, settings, watcher)
    except Exception as error:  # Each backend has its own, and one for lack of memory.
        said = " ".join(str(error).split())[:200] or type(error).__name__
        for picture in pictures:
            report.fail(picture.name, f"could not be explained ({printable(said)})")
        return
    for picture, explanation in zip(pictures, explanations, strict=True):
        report.add(picture.key, explanation)


def _explanations(
    pictures: Sequence[Picture],
    subject: LoadedModel,
    settings: Settings,
    watcher: LiveProgress,
) -> list[Explanation]:
    """Return all that is known of pictures of one size."""
    pixels = np.stack([picture.pixels for picture in pictures])
    inputs = subject.prepare(pixels)
    predictions = predict(subject, inputs, settings.batch_size)
    y = settings.units(predictions.logits)
    ids = [zlib.crc32(image.tobytes()) for image in pixels]
    found = _maps(subject.model, inputs, y, ids, settings, watcher)
    return [
        Explanation(
            name=picture.name,
            image=picture.pixels,
            explained=predictions.of(number, y[number]),
            predictions=predictions.best(number, _LISTED),
            maps=tuple(
                Maps(method, maps[number], _noise(stats, number))
                for method, (maps, stats) in found.items()
            ),
        )
        for number, picture in enumerate(pictures)
    ]


def _maps(
    model: Any,
    inputs: Floats,
    y: NDArray[np.int64],
    ids: list[int],
    settings: Settings,
    watcher: LiveProgress,
) -> dict[str, tuple[Floats, ke.Stats | None]]:
    """Return normalised maps (N, H, W, K) of each method, and how sure they are."""
    found = {}
    for step, method in enumerate(settings.methods):
        watcher.started(len(inputs), step, len(settings.methods))
        params = _params(method, ids, settings) | {"callbacks": [watcher]}
        _, maps, *stats = getattr(ke, method)(model, inputs, y, **params)
        found[method] = maps, stats[0] if stats else None
    return found


def _params(method: str, ids: list[int], settings: Settings) -> dict[str, Any]:
    """Return how to call a method.

    The noise of an image follows from its pixels (``ids``): its map is the same
    whatever other images are explained with it, and in whatever order.
    """
    params: dict[str, Any] = {"batch_size": settings.batch_size, "verbose": 0}
    if method in SIGNED:
        params["postprocessing"] = _signed
    if method in NOISY:
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
    return params


def _signed(maps: Any, axis: tuple[int, ...]) -> Any:
    """Return maps from -1 to 1, with 0 where it was."""
    largest = keras.ops.max(keras.ops.abs(maps), axis=axis, keepdims=True)
    return maps / keras.ops.where(largest > 0, largest, 1)


def _noise(stats: ke.Stats | None, number: int) -> Noise | None:
    """Return what is known of the noise of one picture."""
    if stats is None:
        return None
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
