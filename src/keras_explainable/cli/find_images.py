"""Where the images come from, and what they are called in front of others."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterable

from keras_explainable.cli import read_images
from keras_explainable.cli.printable_text import printable

__all__ = ["Source", "demo_sources", "display_name", "file_sources"]

_Read = Callable[[tuple[int, int] | None], read_images.Pixels]


@dataclasses.dataclass(frozen=True)
class Source:
    """An image to explain: its name, and how to get it in a (height, width)."""

    name: str
    read: _Read


def file_sources(paths: Iterable[pathlib.Path]) -> list[Source]:
    """Return the images in files."""

    def reader(path: pathlib.Path) -> _Read:
        return lambda size: read_images.read(path, size)

    return [Source(display_name(path), reader(path)) for path in paths]


def demo_sources() -> list[Source]:
    """Return the bundled images, named by the digit that is hidden in each."""
    from keras_explainable import demo

    samples = demo.load_samples()

    def source(number: int) -> Source:
        name = f"sample {number + 1} (digit {samples.labels[number]})"
        return Source(name, lambda size: samples.images[number])

    return [source(number) for number in range(len(samples.images))]


def display_name(path: str | os.PathLike[str]) -> str:
    """Return a path as others may see it: relative, printable, without odd bytes."""
    absolute = pathlib.Path(path).absolute()
    try:
        shown = absolute.relative_to(pathlib.Path.cwd())
    except ValueError:  # Not below here: no need to tell the world where.
        shown = pathlib.Path(absolute.parent.name, absolute.name)
    return printable(shown.as_posix())
