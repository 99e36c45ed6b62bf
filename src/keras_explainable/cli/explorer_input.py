"""Gives the explorer a model and images, read as those of the other commands."""

import contextlib
import functools
import pathlib
from collections.abc import Sequence

from keras_explainable.cli import class_names, console, find_images, read_images, run
from keras_explainable.cli.load_model import LoadedModel, check_name
from keras_explainable.cli.settings import RESIZING
from keras_explainable.common.optional_packages import require
from keras_explainable.explorer.album import Album, Source
from keras_explainable.explorer.explored_model import ExploredModel
from keras_explainable.explorer.session import Session


def explore(
    paths: Sequence[pathlib.Path],
    model: str,
    preprocess: str | None,
    names: pathlib.Path | None,
    resizing: str,
    *,
    port: int,
    open_browser: bool,
) -> None:
    """Serve the explorer until Ctrl-C.

    Raises:
        ValueError: If an option is wrong, or the model cannot be loaded.
        ImportError: If the extra ``explore`` is not installed.
    """
    for package in ("starlette", "uvicorn", "wsproto"):
        require(package, "explore")
    from keras_explainable.explorer.serve import serve

    _check_options(resizing, port)
    album = album_of(paths, model, preprocess, names, resizing)
    session = Session(album.model.model)
    with contextlib.suppress(KeyboardInterrupt):
        serve(session, album, port, open_browser, console.print_message)


def _check_options(resizing: str, port: int) -> None:
    if resizing not in RESIZING:
        known = ", ".join(RESIZING)
        raise ValueError(f"--resize must be one of {known}; received {resizing}.")
    if not 0 <= port <= 65535:
        raise ValueError(f"--port must be from 0 to 65535; received {port}.")


def album_of(
    paths: Sequence[pathlib.Path],
    model: str,
    preprocess: str | None,
    names: pathlib.Path | None = None,
    resizing: str = "crop",
) -> Album:
    """Return the images to explore, with their model.

    Without paths, they are the bundled ones for the bundled network, and none for
    other models.
    """
    check_name(model, preprocess)
    classes = class_names.read(names) if names else None
    files = read_images.find(paths)
    run.check_files(files)
    loaded = run.loaded(model, preprocess, classes)
    images: Sequence[find_images.ImageSource] = []
    if files or model == "demo":
        images = run.sources_of(files, resizing)
    sources = [_source(image, loaded) for image in images]

    def read_file(path: pathlib.Path) -> read_images.ReadImage:
        return read_images.read_with_picture(path, loaded.size, resizing)

    return Album(explored_model(loaded), loaded.prepare, sources, read_file)


def explored_model(loaded: LoadedModel) -> ExploredModel:
    """Return a model as the explorer takes it."""
    return ExploredModel(
        name=find_images.display_name(loaded.name),
        code=_code(loaded),
        model=loaded.model,
        classes=loaded.classes,
    )


def _code(loaded: LoadedModel) -> str:
    """Return a Python expression that loads the model."""
    if loaded.name == "demo":
        return "ke.demo.load_model()"
    file = pathlib.Path(loaded.name)
    if file.is_file():
        return f"keras.models.load_model({str(file.absolute())!r})"
    return f"keras.applications.{loaded.name}()"


def _source(image: find_images.ImageSource, loaded: LoadedModel) -> Source:
    return Source(image.name, functools.partial(image.read, loaded.size))
