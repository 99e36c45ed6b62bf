"""Progress on stderr: a bar on a terminal, a few lines in a log."""

from typing import Self

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

_MAX_LINES = 10  # in a log


class LiveProgress(keras.callbacks.Callback):
    """A Keras callback that shows how many images have been explained.

    Args:
        console: The output: a bar if it is a terminal, else a line per tenth.
        images: The number of images to explain.
        doing: What the bar says that is done.
    """

    def __init__(
        self, console: Console, images: int, doing: str = "Explaining"
    ) -> None:
        super().__init__()
        self._console, self._images = console, images
        self._finished = self._lines = self._batch = self._step = 0
        self._steps = 1
        self._bar = Progress(
            TextColumn(doing),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TextColumn("images, remaining"),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("", total=images)

    def start_step(self, count: int, step: int = 0, steps: int = 1) -> None:
        """Record that ``count`` images enter a step (a method) out of ``steps``."""
        self._batch, self._step, self._steps = count, step, steps

    def on_explain_progress(self, done: int, total: int | None) -> None:
        """Advance the bar within the current batch of images."""
        fraction = (self._step + (done / total if total else 0)) / self._steps
        completed = self._finished + self._batch * fraction
        self._bar.update(self._task, completed=completed)

    def finish(self, count: int) -> None:
        """Record that ``count`` images are finished or have failed."""
        self._finished += count
        self._bar.update(self._task, completed=self._finished)
        lines = _MAX_LINES * self._finished // self._images
        if not self._console.is_terminal and lines > self._lines:
            self._lines = lines
            self._console.print(f"{self._finished} of {self._images} images")

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()
