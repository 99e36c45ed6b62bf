"""One run of the command: cheap checks first, then the network, then the images."""

import contextlib
import dataclasses
import importlib
import os
import pathlib
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from keras_explainable.cli import class_names, console, find_images, read_images
from keras_explainable.cli.engine import LOCAL, Engine
from keras_explainable.cli.load_model import LoadedModel, check_name, load
from keras_explainable.cli.settings import Settings
from keras_explainable.common.optional_packages import require
from keras_explainable.report.explanation_records import Run

if TYPE_CHECKING:
    from keras_explainable.report.report_writer import Report


@dataclasses.dataclass(frozen=True)
class Job:
    """Everything a run needs, found and checked.

    Attributes:
        sources: The images.
        loaded: The network.
        settings: How to explain.
        folder: The output folder.
        resume: Whether to continue an unfinished run in ``folder``.
        files: The files of the images; none for the bundled ones.
        preprocess: The preprocessing that the user chose, if any.
        engine: Where the images are explained.
    """

    sources: Sequence[find_images.ImageSource]
    loaded: LoadedModel
    settings: Settings
    folder: pathlib.Path
    resume: bool
    files: Sequence[pathlib.Path] = ()
    preprocess: str | None = None
    engine: Engine = LOCAL


def prepare(
    paths: Sequence[pathlib.Path],
    model: str,
    preprocess: str | None,
    settings: Settings,
    out: pathlib.Path,
    resume: bool,
    names: pathlib.Path | None = None,
    engine: Engine = LOCAL,
) -> Job:
    """Return a job: find the images, create the folder, load the network.

    ``names`` is a file with the names of the classes.

    Raises:
        ValueError: If any of this is impossible; the message is one sentence.
    """
    check_input(paths, model, preprocess)
    if engine.uses_ray:
        if settings.sweep:
            raise ValueError("--sweep must be omitted with --engine ray.")
        require("ray.data", "ray")
    classes = class_names.read(names) if names else None
    files = read_images.find(paths, skip=out)
    check_files(files)
    _check_resize(settings, bool(files))
    folder = _writable_folder(out)
    network = loaded(model, preprocess, classes)
    settings = settings.for_classes(network.classes)
    _check_layer(network, settings.layer)
    _check_resize(settings, network.size is not None)
    sources = sources_of(files, settings.resize)
    found = files, preprocess, engine
    return Job(sources, network, settings, folder, resume, *found)


def prepare_check(
    paths: Sequence[pathlib.Path], model: str, preprocess: str | None
) -> tuple[Sequence[find_images.ImageSource], LoadedModel]:
    """Return the images and the network for a check of its derivatives.

    Raises:
        ValueError: As ``prepare`` does.
    """
    check_input(paths, model, preprocess)
    sources = sources_of(read_images.find(paths))
    return sources, loaded(model, preprocess)


def check_input(
    paths: Sequence[pathlib.Path], model: str, preprocess: str | None
) -> None:
    """Raise ValueError if there are no images for a model, or its name is wrong."""
    if not paths and model != "demo":
        raise ValueError(f"Pass images or folders to explain with {model}.")
    check_name(model, preprocess)


def sources_of(
    files: Sequence[pathlib.Path],
    resizing: str = "crop",
    masks: Mapping[pathlib.Path, pathlib.Path] | None = None,
) -> Sequence[find_images.ImageSource]:
    """Return the images in files, with their masks, or the bundled ones."""
    if not files:
        return find_images.demo_sources()
    return find_images.file_sources(files, resizing, masks)


def check_files(files: Sequence[pathlib.Path]) -> None:
    """Name the files that are no images, before the network is loaded.

    Raises:
        ValueError: If none of them is one.
    """
    reasons = {}
    for file in files:
        try:
            read_images.check(file)
        except ValueError as error:
            reasons[find_images.display_name(file)] = str(error)
    if not reasons:
        return
    name, reason = next(iter(reasons.items()))
    others = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    if len(reasons) == len(files):
        raise ValueError(f"{name} {reason}{others}; no image is left to explain.")
    count = f"{len(reasons)} of {len(files)} files will be left out"
    console.print_message(f"{count}: {name} {reason}{others}", "red")


def _check_resize(settings: Settings, has_effect: bool) -> None:
    if settings.resize != "crop" and not has_effect:
        raise ValueError(
            "--resize must be omitted with the bundled images, and with a model that "
            f"takes images of any size; received {settings.resize}."
        )


def _check_layer(loaded: LoadedModel, layer: str | None) -> None:
    """Raise ValueError if the model has no such layer to show."""
    import keras_explainable as ke

    if layer is not None:
        try:
            ke.inspection.shown_layers(loaded.model, layer)
        except ValueError as error:
            raise ValueError(f"--layer {layer}: {error}") from None


def loaded(
    model: str, preprocess: str | None, classes: tuple[str, ...] | None = None
) -> LoadedModel:
    """Return the network, with names of its classes if they are given."""
    console.print_message(f"Loading {find_images.display_name(model)}", "dim")
    _import_keras()
    with contextlib.redirect_stdout(sys.stderr):  # Keras prints what it downloads.
        network = load(model, preprocess)
    if classes is None:
        return network
    classes = class_names.of_units(classes, len(network.classes))
    return dataclasses.replace(network, classes=classes, named=True)


def explain(job: Job, started: float) -> "Report":
    """Return the report of all images; after Ctrl-C, of those completed by then.

    ``started`` is when the command did, by ``time.monotonic``.
    """
    from keras_explainable.cli import live_progress
    from keras_explainable.cli.saturated_predictions import saturation
    from keras_explainable.report.report_writer import Report

    report = Report(job.folder, _run_facts(job), job.resume)
    report.count_from(started)
    progress = live_progress.LiveProgress(console.stderr_console(), len(job.sources))
    module = "ray_images" if job.engine.uses_ray else "explain_images"
    images = importlib.import_module(f"keras_explainable.cli.{module}")
    with contextlib.suppress(KeyboardInterrupt), report, progress:
        images.explain(job, report, progress)
    is_default = job.preprocess is None and job.loaded.preprocessing == "none"
    if is_default and (note := saturation(job.loaded.model, report.entries)):
        console.print_message(f"Note: {note}")
    return report


def _writable_folder(path: pathlib.Path) -> pathlib.Path:
    """Return a folder, created if necessary, in which files can be written."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        raise ValueError(
            f"Output folder {path} is not writable ({error.strerror})."
        ) from error


def _run_facts(job: Job) -> Run:
    """Return the record of how this job explains its images."""
    settings, noise = job.settings, job.settings.add_noise
    return Run(
        model=find_images.display_name(job.loaded.name),
        model_hash=job.loaded.hash,
        preprocessing=job.loaded.preprocessing,
        methods=settings.methods,
        target=settings.target,
        repetitions=settings.repetitions if noise else None,
        noise_level=settings.noise_level if noise else None,
        estimator=_estimator(settings),
        tolerance=settings.tolerance if noise else None,
        seed=settings.seed if noise else None,
        batch_size=settings.batch_size,
        layer=shown_layer(job.loaded, settings),
        resize=settings.resize if job.loaded.size else None,
        classes=job.loaded.classes_hash,
        picture_format=settings.picture_format,
        sweep=settings.grid,
    )


def _estimator(settings: Settings) -> str | None:
    if "smoothgrad" not in settings.methods:
        return None
    return "sampled" if settings.sweep else settings.estimator


def shown_layer(loaded: LoadedModel, settings: Settings) -> str | None:
    """Return the layer that class activation maps show, and print it, if there is one.

    Without one, the error of each image says so.
    """
    import keras_explainable as ke

    names = [name for name in settings.methods if name in ke.methods.cams.__all__]
    with contextlib.suppress(ValueError):
        if names:
            shown = ke.inspection.shown_layers(loaded.model, settings.layer)
            layer = ", ".join(shown)
            console.print_message(f"{', '.join(names)}: layer {layer}", "dim")
            return layer
    return None


def _import_keras() -> None:
    """Import Keras while file descriptor 2 leads to the null device.

    Compiled code of the backends writes start-up messages there, below Python's
    ``sys.stderr``, and no setting prevents it. Errors are raised, so none is lost.
    """
    sys.stderr.flush()
    original = os.dup(2)
    try:
        with pathlib.Path(os.devnull).open("w") as null:
            os.dup2(null.fileno(), 2)
        importlib.import_module("keras")
    finally:
        os.dup2(original, 2)
        os.close(original)
