"""The order of things: cheap checks first, then the network, then the images."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import os
import pathlib
import sys
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_explainable.cli import console, find_images, read_images
from keras_explainable.cli.load_model import LoadedModel, check_name, load
from keras_explainable.cli.settings import Settings

if TYPE_CHECKING:
    from keras_explainable.report import Report, Run

__all__ = ["Job", "explain", "prepare"]


@dataclasses.dataclass(frozen=True)
class Job:
    """All that is needed to go to work."""

    sources: Sequence[find_images.Source]
    subject: LoadedModel
    settings: Settings
    folder: pathlib.Path
    resume: bool


def prepare(
    paths: Sequence[pathlib.Path],
    model: str,
    preprocess: str | None,
    settings: Settings,
    out: pathlib.Path,
    resume: bool,
) -> Job:
    """Find the images, make the folder and load the network, in this order.

    Raises:
        ValueError: in one sentence, if any of it cannot be done.
    """
    if not paths and model != "demo":
        raise ValueError(f"Name images or folders to explain with {model}.")
    check_name(model, preprocess)
    files = read_images.find(paths, skip=out)
    folder = _writable(out)
    console.say(f"Loading {find_images.display_name(model)}", "dim")
    _import_keras()
    with contextlib.redirect_stdout(sys.stderr):  # Keras prints what it downloads.
        subject = load(model, preprocess)
    settings.check_classes(len(subject.classes))
    found = find_images.file_sources(files) if paths else find_images.demo_sources()
    return Job(found, subject, settings, folder, resume)


def explain(job: Job) -> Report:
    """Explain all images; after Ctrl-C the report holds what was done by then."""
    from keras_explainable.cli import explain_images, live_progress
    from keras_explainable.report import Report

    report = Report(job.folder, _run(job), job.resume)
    watcher = live_progress.LiveProgress(console.messages(), len(job.sources))
    with contextlib.suppress(KeyboardInterrupt), report, watcher:
        explain_images.explain(job.sources, job.subject, job.settings, report, watcher)
    return report


def _writable(path: pathlib.Path) -> pathlib.Path:
    """Return a folder, made if need be, in which files can be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise ValueError(
            f"Output folder {path} is not writable ({error.strerror})."
        ) from error


def _run(job: Job) -> Run:
    """Return how this job explains, for the record."""
    from keras_explainable.report import Run

    settings, noisy = job.settings, job.settings.noisy
    return Run(
        model=find_images.display_name(job.subject.name),
        model_hash=job.subject.hash,
        preprocessing=job.subject.preprocessing,
        methods=settings.methods,
        target=settings.target,
        repetitions=settings.repetitions if noisy else None,
        noise_level=settings.noise_level if noisy else None,
        estimator=settings.estimator if "smoothgrad" in settings.methods else None,
        tolerance=settings.tolerance if noisy else None,
        seed=settings.seed if noisy else None,
        batch_size=settings.batch_size,
    )


def _import_keras() -> None:
    """Import Keras without the greetings of its backend, which no setting stops.

    They are written by compiled code, below Python's ``sys.stderr``. Errors are
    raised, and so still seen.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with pathlib.Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        importlib.import_module("keras")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
