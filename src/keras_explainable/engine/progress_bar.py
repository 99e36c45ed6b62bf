"""Progress of ``explain``, shown by Keras' progress bar and callbacks."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import keras

from keras_explainable.engine.progress_line import ProgressLine
from keras_explainable.types import Model

Element = TypeVar("Element")


class Progress:
    """Reports to callbacks and to the progress bar how far ``explain`` has come.

    The bar counts images, of which a part may be done, and shows the number of their
    copies beside it, or of what else is counted for each. If a callback has a method
    ``on_explain_progress(done, total)``, it is called after each chunk with network
    rows: images times their copies. ``total`` is None while it is not known.
    """

    def __init__(
        self,
        model: Model,
        callbacks: Any,
        verbose: Any,
        steps: int | None,
        images: int | None,
        parts: str = "copies",
    ):
        self.images, self.parts = images, parts
        self.begun = 0
        self.explained = 0.0
        self.done = 0
        self.total: int | None = None
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(
                f"`verbose` must be 'auto', 0, 1 or 2; received {verbose!r}."
            )
        verbose = 1 if verbose == "auto" else int(verbose)
        _check_callbacks(callbacks)
        self.verbose = verbose
        self.bar = ProgressLine(verbose)
        self.callbacks = keras.callbacks.CallbackList(
            callbacks, model=model, verbose=verbose, epochs=1, steps=steps
        )

    def note(self, text: str) -> None:
        """Print a line of text, unless the bar is not shown."""
        if self.verbose:
            sys.stdout.write(f"{text}\n")

    def of_batch(self, images: int) -> Callable[[int, int], None]:
        """Return the function that a method calls with rows done and their total."""
        before, first = self.done, self.begun
        self.begun += images

        def report(done: int, total: int) -> None:
            self.explained = first + images * done / max(total, 1)
            if self.images is not None and images:
                self.total = self.images * total // images
            self.done = before + done
            self._show()

        return report

    def steps(self, elements: Iterable[Element]) -> Iterator[Element]:
        """Yield the elements of the data and call Keras' callbacks around them."""
        self.callbacks.on_predict_begin()
        for self._step, element in enumerate(elements):
            self.callbacks.on_predict_batch_begin(self._step)
            yield element
        self.total = self.done
        self.images = self.explained = self.begun
        self._show(finalize=True)
        self.callbacks.on_predict_end()

    def finish_step(self, outputs: Any) -> None:
        """Pass the results of an element of the data to the callbacks."""
        self.callbacks.on_predict_batch_end(self._step, {"outputs": outputs})

    def _show(self, finalize: bool = False) -> None:
        # A bar at its target finishes itself, but only `steps` may do that.
        if finalize or self.explained != self.images:
            self.bar.target = self.images
            self.bar.unit_name = f"image{self._of_images()}"
            self.bar.update(self.explained, finalize=finalize)
        for callback in self.callbacks.callbacks:
            notify = getattr(callback, "on_explain_progress", None)
            if notify is not None:
                notify(self.done, self.total)

    def _of_images(self) -> str:
        """Return how many parts of the images are done; "" if images have none."""
        if self.done <= self.begun:
            return ""
        total = "" if self.total in (None, self.done) else f"/{self.total}"
        return f" - {self.done}{total} {self.parts}"


def _check_callbacks(callbacks: Any) -> None:
    known = (keras.callbacks.Callback, keras.callbacks.CallbackList)
    for each in callbacks if isinstance(callbacks, list | tuple) else [callbacks]:
        if not (callbacks is None or isinstance(each, known)):
            raise TypeError(
                f"`callbacks` must be Keras callbacks; received {type(each).__name__}."
            )
