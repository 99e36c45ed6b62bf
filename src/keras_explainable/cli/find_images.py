"""The images to explain, from files or the bundled samples, and their display names."""

import os
import pathlib
from collections.abc import Callable, Iterable
from typing import NamedTuple

from keras_explainable.cli import read_images
from keras_explainable.cli.printable_text import printable

_Read = Callable[[tuple[int, int] | None], read_images.ReadImage]


class ImageSource(NamedTuple):
    """An image that is not read yet.

    Attributes:
        name: The display name.
        read: A function from a (height, width) to the image in this size.
    """

    name: str
    read: _Read


def file_sources(
    paths: Iterable[pathlib.Path], resizing: str = "crop"
) -> list[ImageSource]:
    """Return the images in files, which are resized as ``read_images.read`` does."""

    def reader(path: pathlib.Path) -> _Read:
        return lambda size: read_images.read_with_picture(path, size, resizing)

    return [ImageSource(display_name(path), reader(path)) for path in paths]


def demo_sources() -> list[ImageSource]:
    """Return the bundled images, each named by the digit hidden in it."""
    from keras_explainable import demo

    samples = demo.load_samples()

    def source(number: int) -> ImageSource:
        name = f"sample {number + 1} (digit {samples.labels[number]})"
        image = samples.images[number]
        return ImageSource(name, lambda size: read_images.ReadImage(image, image))

    return [source(number) for number in range(len(samples.images))]


def display_name(path: str | os.PathLike[str]) -> str:
    """Return a path for the report: relative, and with printable characters only."""
    absolute = pathlib.Path(path).absolute()
    try:
        shown = absolute.relative_to(pathlib.Path.cwd())
    except ValueError:  # Elsewhere: the full path is nobody else's business.
        shown = pathlib.Path(absolute.parent.name, absolute.name)
    return printable(shown.as_posix())
