"""The images of an explorer: read when first shown, or dropped onto the page."""

import tempfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np

from keras_explainable.explorer.explored_model import (
    ExploredImage,
    ExploredModel,
    Floats,
    Pixels,
    Scores,
)
from keras_explainable.plotting.seen_part import SeenPart

#: The most images that can be dropped onto the pages of a server.
MOST_DROPPED = 100

#: The most characters of an image's name.
_LONGEST_NAME = 80

#: Images from files that stay in memory.
_IN_MEMORY = 32


class Source(NamedTuple):
    """An image that is not read yet.

    Attributes:
        name: Name to display.
        read: Function that returns what the model receives, the picture, and the part
            of it that the model sees; it raises ValueError if that is impossible.
    """

    name: str
    read: Callable[[], tuple[Pixels, Pixels, SeenPart]]


class Album:
    """Images by their key, which is their position.

    Args:
        model: Model that they are prepared for.
        prepare: Preprocessing, from uint8 RGB (N, H, W, 3) to the model's input.
        sources: The first images.
        read_file: Function that reads a file that was dropped, as ``Source.read`` does.
    """

    def __init__(
        self,
        model: ExploredModel,
        prepare: Callable[[Pixels], Floats],
        sources: Sequence[Source],
        read_file: Callable[[Path], tuple[Pixels, Pixels, SeenPart]],
    ):
        self._model, self._prepare, self._read_file = model, prepare, read_file
        self._sources = [*sources]
        self._given = len(self._sources)
        self._read: OrderedDict[int, ExploredImage] = OrderedDict()
        self._scores: dict[int, Scores] = {}
        self._lock = Lock()

    @property
    def model(self) -> ExploredModel:
        """The model that is explored."""
        return self._model

    @property
    def names(self) -> list[str]:
        """The names of all images."""
        return [source.name for source in self._sources]

    def image(self, key: int) -> ExploredImage:
        """Return an image.

        Raises:
            ValueError: If there is none of this key, or it cannot be read.
        """
        if not 0 <= key < len(self._sources):
            raise ValueError(
                f"`image` must be below {len(self._sources)}, the number of images; "
                f"received {key}."
            )
        with self._lock:
            if key not in self._read:
                self._read[key] = self._prepared(self._sources[key])
                while len(self._read) > _IN_MEMORY:
                    self._read.popitem(last=False)
            self._read.move_to_end(key)
            return self._read[key]

    def scores(self, key: int) -> Scores:
        """Return what the model predicts for an image."""
        if key not in self._scores:
            self._scores[key] = Scores.of(self.model.model, self.image(key).inputs)
        return self._scores[key]

    def add(self, name: str, content: bytes) -> int:
        """Add an image that was dropped onto the page, and return its key.

        Args:
            name: What the browser says that the file is called; it is only shown.
            content: Content of the file.

        Raises:
            ValueError: If it is no image, or there are too many.
        """
        if len(self._sources) - self._given >= MOST_DROPPED:
            raise ValueError(
                f"At most {MOST_DROPPED} images can be dropped; start the command anew."
            )
        name = _display_name(name)
        with tempfile.NamedTemporaryFile() as file:
            file.write(content)
            file.flush()
            try:
                found = self._read_file(Path(file.name))
            except ValueError as error:
                raise ValueError(f"{name} {error}.") from None
        with self._lock:
            self._sources.append(Source(name, lambda: found))
            return len(self._sources) - 1

    def _prepared(self, source: Source) -> ExploredImage:
        try:
            pixels, picture, seen = source.read()
        except ValueError as error:
            raise ValueError(f"{source.name} {error}.") from None
        inputs = np.asarray(self._prepare(pixels[None]))
        number = zlib.crc32(pixels.tobytes())
        return ExploredImage(source.name, pixels, inputs, picture, seen, number)


def _display_name(name: str) -> str:
    """Return the last part of a path, of printable characters."""
    last = name.replace("\\", "/").rpartition("/")[2][:_LONGEST_NAME]
    shown = "".join(x if x.isprintable() else "\N{REPLACEMENT CHARACTER}" for x in last)
    return shown or "picture"
