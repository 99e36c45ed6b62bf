"""Pictures as events of TensorBoard, which need no TensorFlow."""

import importlib.util
from pathlib import Path
from typing import Any

from keras_explainable.common.optional_packages import require


def is_installed() -> bool:
    """Return whether TensorBoard is installed."""
    return importlib.util.find_spec("tensorboard") is not None


class ImageEvents:
    """A file of events in a folder, made when the first picture is added.

    Args:
        folder: Folder that ``tensorboard --logdir`` is given.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._writer: Any = None

    def add(self, name: str, png: bytes, size: tuple[int, int], step: int) -> None:
        """Add a picture of (width, height) to those of a name."""
        events = _required("compat.proto.event_pb2")
        summaries = _required("compat.proto.summary_pb2")
        image = summaries.Summary.Image(
            width=size[0], height=size[1], colorspace=3, encoded_image_string=png
        )
        summary = summaries.Summary(
            value=[summaries.Summary.Value(tag=name, image=image)]
        )
        self._opened().add_event(events.Event(step=step, summary=summary))
        self._writer.flush()

    def close(self) -> None:
        """Close the file; a picture that is added later opens another."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None

    def _opened(self) -> Any:
        if self._writer is None:
            module = _required("summary.writer.event_file_writer")
            self._writer = module.EventFileWriter(str(self._folder))
        return self._writer


def _required(module: str) -> Any:
    return require(f"tensorboard.{module}", "tensorboard")
