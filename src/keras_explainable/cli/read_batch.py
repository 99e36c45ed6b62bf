"""Reads images batch by batch, in groups of one size."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from keras_explainable.cli.find_images import ImageSource
from keras_explainable.cli.live_progress import LiveProgress
from keras_explainable.cli.printable_text import printable
from keras_explainable.cli.read_images import Pixels, ReadImage
from keras_explainable.report.run_report import RunReport


class NamedImage(NamedTuple):
    """An image with its key in files and its display name.

    Attributes:
        key: Its key.
        name: Its name.
        read: The image.
        mask: Which of its pixels lie on the object, (H, W), if that is known.
    """

    key: str
    name: str
    read: ReadImage
    mask: Any = None

    @property
    def pixels(self) -> Pixels:
        """What the network receives, before preprocessing."""
        return self.read.pixels


def groups_of_one_size(
    sources: Sequence[ImageSource],
    count: int,
    size: tuple[int, int] | None,
    report: RunReport,
    progress: LiveProgress,
) -> Iterator[list[NamedImage]]:
    """Yield images of one size, at most ``count`` at once.

    Images that cannot be read are recorded as failures. Images that the report takes
    over from an earlier run are skipped.
    """
    for start in range(0, len(sources), count):
        batch = sources[start : start + count]
        images = list(_read(batch, size, report))
        progress.finish(len(batch) - len(images))
        # A network for any size receives images of one size at a time.
        for _, group in itertools.groupby(images, lambda image: image.pixels.shape):
            same_size = list(group)
            yield same_size
            progress.finish(len(same_size))


def fail(
    report: RunReport, images: Sequence[NamedImage], error: Exception, done: str
) -> None:
    """Record images that could not be "explained", for example."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    for image in images:
        report.fail(image.name, f"could not be {done} ({printable(reason)})")


def _read(
    batch: Sequence[ImageSource], size: tuple[int, int] | None, report: RunReport
) -> Iterator[NamedImage]:
    for source in batch:
        key = report.key(source.name)
        try:
            read = source.read(size)
            mask = source.read_mask(size) if source.read_mask else None
            image = NamedImage(key, source.name, read, mask)
        except ValueError as error:
            report.fail(source.name, printable(str(error)))
            continue
        if not report.resumes(key, source.name, read.pixels, read.picture):
            yield image
