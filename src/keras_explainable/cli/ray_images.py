"""Explains images in processes of Ray, and adds the results to a report here."""

import contextlib
import dataclasses
import logging
import os
import pathlib
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Console

from keras_explainable.cli import explain_images, load_model, run
from keras_explainable.cli.engine import Engine
from keras_explainable.cli.live_progress import LiveProgress
from keras_explainable.cli.settings import Settings
from keras_explainable.common.optional_packages import require
from keras_explainable.distributed.worker_pool import WorkerPool
from keras_explainable.report.report_writer import Report

_DEFAULT_WORKERS = 2


class _Results:
    """What a worker finds out, in place of a report.

    The names of its images are their numbers.
    """

    def __init__(self) -> None:
        self.found: list[tuple[int, Any]] = []

    def key(self, name: str) -> str:
        return name

    def resumes(self, *_: Any) -> bool:
        return False

    def add(self, key: str, explanation: Any) -> None:
        self.found.append((int(key), explanation))

    def fail(self, name: str, reason: str) -> None:
        self.found.append((int(name), reason))


@dataclasses.dataclass(frozen=True)
class _Request:
    """What a worker needs to load the network and find the images."""

    model: str
    preprocess: str | None
    classes: Any
    files: Sequence[pathlib.Path]
    settings: Settings

    def job(self) -> run.Job:
        loaded = load_model.load(self.model, self.preprocess)
        loaded = dataclasses.replace(loaded, **self.classes)
        sources = run.sources_of(self.files, self.settings.resize)
        return run.Job(sources, loaded, self.settings, pathlib.Path(), False)


class _Worker:
    """Explains batches of images, which Ray gives it by number."""

    def __init__(self, request: _Request) -> None:
        self.job = request.job()

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        results, console = _Results(), Console(quiet=True)
        sources = [
            self.job.sources[number]._replace(name=str(number))
            for number in batch["number"].tolist()
        ]
        job = dataclasses.replace(self.job, sources=sources)
        progress = LiveProgress(console, len(sources))
        explain_images.explain(job, results, progress)  # type: ignore[arg-type]
        return {"found": [pickle.dumps(each) for each in results.found]}


def explain(job: run.Job, report: Report, progress: LiveProgress) -> None:
    """Explain images into a report, as ``explain_images.explain`` does.

    Raises:
        OSError: If Ray gives up. What was added by then is kept.
    """
    ray = require("ray", "ray")
    keys = [report.key(source.name) for source in job.sources]
    numbers = [n for n, key in enumerate(keys) if not _resumes(job, report, n, key)]
    progress.finish(len(keys) - len(numbers))
    failures: dict[int, str] = {}
    try:
        with _cluster(job.engine):
            for number, found in _found(job, numbers):
                if isinstance(found, str):
                    failures[number] = found
                else:
                    name = job.sources[number].name
                    report.add(keys[number], dataclasses.replace(found, name=name))
                progress.finish(1)
    except ray.exceptions.RayError as error:
        told = error.__cause__ or "", error, type(error).__name__
        reason = next(filter(None, (str(each).strip() for each in told)))
        raise OSError(f"Ray stopped: {reason.splitlines()[-1]}") from error
    finally:
        for number in sorted(failures):
            report.fail(job.sources[number].name, failures[number])


def _resumes(job: run.Job, report: Report, number: int, key: str) -> bool:
    """Return whether an earlier run has explained an image, which is read for it."""
    if not job.resume:
        return False
    source = job.sources[number]
    with contextlib.suppress(ValueError):  # A worker says what is wrong with it.
        read = source.read(job.loaded.size)
        return report.resumes(key, source.name, read.pixels, read.picture)
    return False


def _found(job: run.Job, numbers: Sequence[int]) -> Iterator[tuple[int, Any]]:
    """Yield the number of each image, and its explanation or why there is none."""
    if not numbers:
        return
    data, loaded = require("ray.data", "ray"), job.loaded
    workers = job.engine.workers or _DEFAULT_WORKERS
    share = -(-len(numbers) // workers)
    pool = WorkerPool(workers, min(job.settings.batch_size, share))
    is_file = pathlib.Path(loaded.name).is_file()
    name = os.path.abspath(loaded.name) if is_file else loaded.name  # noqa: PTH100
    classes = {"classes": loaded.classes, "named": loaded.named}
    files = [file.absolute() for file in job.files]
    request = _Request(name, job.preprocess, classes, files, job.settings)
    images = data.from_items([{"number": number} for number in numbers])
    for row in pool.map(_Worker, (request,), images).iter_rows():
        yield pickle.loads(row["found"])


@contextlib.contextmanager
def _cluster(engine: Engine) -> Iterator[None]:
    """Return a context in which Ray runs: one that does already, or one for this."""
    ray, data = require("ray", "ray"), require("ray.data", "ray")
    if ray.is_initialized():
        yield
        return
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if engine.address is None:  # One more CPU than the workers need, to read the data.
        cpus = (engine.workers or _DEFAULT_WORKERS) + 1
        quiet |= {"num_cpus": cpus, "include_dashboard": False}
    ray.init(address=engine.address or "local", **quiet)
    data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()
