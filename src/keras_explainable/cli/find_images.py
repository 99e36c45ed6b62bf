"""The images to explain, from files or the bundled samples, and their display names."""

import os
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.cli import read_images, read_masks
from keras_explainable.cli.printable_text import printable

_Read = Callable[[tuple[int, int] | None], read_images.ReadImage]
_ReadMask = Callable[[tuple[int, int] | None], NDArray[np.bool_]]


class ImageSource(NamedTuple):
    """An image that is not read yet.

    Attributes:
        name: The display name.
        read: A function from a (height, width) to the image in this size.
        read_mask: A function from a size to which pixels lie on the object, or None.
    """

    name: str
    read: _Read
    read_mask: _ReadMask | None = None


def file_sources(
    paths: Iterable[pathlib.Path],
    resizing: str = "crop",
    masks: Mapping[pathlib.Path, pathlib.Path] | None = None,
) -> list[ImageSource]:
    """Return the images in files, which are resized as ``read_images.read`` does.

    ``masks`` has the file with the mask of each image, if there are masks.
    """

    def reader(path: pathlib.Path) -> _Read:
        return lambda size: read_images.read_with_picture(path, size, resizing)

    def mask_reader(path: pathlib.Path) -> _ReadMask | None:
        if not masks:
            return None
        return lambda size: read_masks.read(masks[path], path, size, resizing)

    return [
        ImageSource(display_name(path), reader(path), mask_reader(path))
        for path in paths
    ]


def demo_sources() -> list[ImageSource]:
    """Return the bundled images, each named by the digit hidden in it."""
    from keras_explainable import demo

    samples = demo.load_samples()

    def source(number: int) -> ImageSource:
        name = f"sample {number + 1} (digit {samples.labels[number]})"
        image = samples.images[number]
        mask = samples.masks[number]
        read = read_images.ReadImage(image, image)
        return ImageSource(name, lambda size: read, lambda size: mask)

    return [source(number) for number in range(len(samples.images))]


def display_name(path: str | os.PathLike[str]) -> str:
    """Return a path for the report: relative, and with printable characters only."""
    absolute = pathlib.Path(path).absolute()
    try:
        shown = absolute.relative_to(pathlib.Path.cwd())
    except ValueError:  # Elsewhere: the full path is nobody else's business.
        shown = pathlib.Path(absolute.parent.name, absolute.name)
    return printable(shown.as_posix())
