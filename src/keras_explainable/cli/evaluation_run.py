"""One run of ``evaluate``: cheap checks, then the network, then the images."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_explainable.cli import console, find_images, read_images, read_masks, run
from keras_explainable.cli.evaluation_settings import EvaluationSettings
from keras_explainable.cli.load_model import LoadedModel
from keras_explainable.common.optional_packages import require

if TYPE_CHECKING:
    from keras_explainable.report.evaluation_report import (
        EvaluationReport,
        EvaluationRun,
    )


@dataclasses.dataclass(frozen=True)
class EvaluationJob:
    """Everything that an evaluation needs, found and checked.

    Attributes:
        sources: The images, with their masks if there are metrics that need them.
        loaded: The network.
        settings: What to score.
        masks: Name of the folder of masks.
        folder: The output folder.
        resume: Whether to continue an unfinished run in ``folder``.
    """

    sources: Sequence[find_images.ImageSource]
    loaded: LoadedModel
    settings: EvaluationSettings
    masks: str | None
    folder: pathlib.Path
    resume: bool


def prepare(
    paths: Sequence[pathlib.Path],
    model: str,
    preprocess: str | None,
    settings: EvaluationSettings,
    out: pathlib.Path,
    resume: bool,
    masks: pathlib.Path | None,
    names: pathlib.Path | None = None,
) -> EvaluationJob:
    """Return a job, as ``run.prepare`` does; ``masks`` is the folder of masks.

    Raises:
        ValueError: As ``prepare`` does, or if masks are missing or have no effect.
        ImportError: If SciPy is not installed.
    """
    require("scipy", "metrics")
    settings.check_masks(masks, bundled=not paths)
    run.check_input(paths, model, preprocess)
    files = read_images.find(paths, skip=out)
    found = read_masks.find(files, paths, masks) if masks else None
    job = run.prepare(paths, model, preprocess, settings.maps, out, resume, names)
    sources = run.sources_of(files, settings.maps.resize, found)
    if not settings.need_masks:
        sources = [each._replace(read_mask=None) for each in sources]
    name = find_images.display_name(masks) if masks else None
    settings = dataclasses.replace(settings, maps=job.settings)
    return EvaluationJob(sources, job.loaded, settings, name, job.folder, resume)


def evaluate(job: EvaluationJob, started: float) -> "EvaluationReport":
    """Return the report of all images, as ``run.explain`` does."""
    from keras_explainable.cli import (
        evaluate_images,
        evaluation_contents,
        live_progress,
    )
    from keras_explainable.report.evaluation_report import EvaluationReport

    given = job.folder, _evaluation_facts(job), evaluation_contents.combined
    report = EvaluationReport(*given, job.resume)
    report.count_from(started)
    terminal = console.stderr_console()
    progress = live_progress.LiveProgress(terminal, len(job.sources), "Scoring")
    with contextlib.suppress(KeyboardInterrupt), report, progress:
        evaluate_images.evaluate(job, report, progress)
    return report


def _evaluation_facts(job: EvaluationJob) -> "EvaluationRun":
    """Return the record of how this job scores its images."""
    from keras_explainable.report.evaluation_report import EvaluationRun

    settings, maps = job.settings, job.settings.maps
    return EvaluationRun(
        model=find_images.display_name(job.loaded.name),
        model_hash=job.loaded.hash,
        preprocessing=job.loaded.preprocessing,
        methods=maps.methods,
        metrics=settings.metrics,
        controls=settings.controls,
        masks=job.masks,
        target=maps.target,
        repetitions=maps.repetitions if maps.add_noise else None,
        noise_level=maps.noise_level if maps.add_noise else None,
        seeds=settings.seeds,
        seed=settings.seed,
        batch_size=maps.batch_size,
        layer=run.shown_layer(job.loaded, maps),
        resize=maps.resize if job.loaded.size else None,
    )
