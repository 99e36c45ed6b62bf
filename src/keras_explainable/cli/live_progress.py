"""How far it is: a bar on a terminal, a short line now and then in a log."""

from __future__ import annotations

from types import TracebackType

import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

__all__ = ["LiveProgress"]

_LINES = 10  # at most, where there is no terminal


class LiveProgress(keras.callbacks.Callback):
    """A Keras callback that shows how many images are explained.

    Args:
        console: where to; a bar if it is a terminal, else a line for each tenth.
        images: number of images to explain.
    """

    def __init__(self, console: Console, images: int) -> None:
        super().__init__()
        self._console, self._images = console, images
        self._finished = self._lines = self._together = self._step = 0
        self._steps = 1
        self._bar = Progress(
            TextColumn("Explaining"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TextColumn("images, left"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=images)

    def started(self, count: int, step: int = 0, steps: int = 1) -> None:
        """Take note of images that are explained together, in so many steps."""
        self._together, self._step, self._steps = count, step, steps

    def on_explain_progress(self, done: int, total: int | None) -> None:
        """Move the bar within the images that are being explained."""
        part = (self._step + (done / total if total else 0)) / self._steps
        completed = self._finished + self._together * part
        self._bar.update(self._task, completed=completed)

    def finished(self, count: int) -> None:
        """Take note of images that are done, or failed."""
        self._finished += count
        self._bar.update(self._task, completed=self._finished)
        tenths = _LINES * self._finished // self._images
        if not self._console.is_terminal and tenths > self._lines:
            self._lines = tenths
            self._console.print(f"{self._finished} of {self._images} images")

    def __enter__(self) -> LiveProgress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()
