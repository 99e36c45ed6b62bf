"""Progress of ``explain``, shown by Keras' progress bar and callbacks."""

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import keras

from keras_explainable.types import Model

Element = TypeVar("Element")


class Progress:
    """Reports to callbacks and to the progress bar how far ``explain`` has come.

    Progress is counted in network rows: images times their noisy copies. If a callback
    has a method ``on_explain_progress(done, total)``, it is called after each chunk;
    ``total`` is None while it is not known.
    """

    def __init__(
        self,
        model: Model,
        callbacks: Any,
        verbose: Any,
        steps: int | None,
        images: int | None,
    ):
        self.images = images
        self.done = 0
        self.total: int | None = None
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(
                f"`verbose` must be 'auto', 0, 1 or 2; received {verbose!r}."
            )
        verbose = 1 if verbose == "auto" else int(verbose)
        _check_callbacks(callbacks)
        self.verbose = verbose
        self.bar = keras.utils.Progbar(None, verbose=verbose, unit_name="sample")
        self.callbacks = keras.callbacks.CallbackList(
            callbacks, model=model, verbose=verbose, epochs=1, steps=steps
        )

    def note(self, text: str) -> None:
        """Print a line of text, unless the bar is not shown."""
        if self.verbose:
            sys.stdout.write(f"{text}\n")

    def of_batch(self, images: int) -> Callable[[int, int], None]:
        """Return the function that a method calls with rows done and their total."""
        before = self.done

        def report(done: int, total: int) -> None:
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
        self._show(finalize=True)
        self.callbacks.on_predict_end()

    def finish_step(self, outputs: Any) -> None:
        """Pass the results of an element of the data to the callbacks."""
        self.callbacks.on_predict_batch_end(self._step, {"outputs": outputs})

    def _show(self, finalize: bool = False) -> None:
        # A bar at its target finishes itself, but only `steps` may do that.
        if finalize or self.done != self.total:
            self.bar.target = self.total
            self.bar.update(self.done, finalize=finalize)
        for callback in self.callbacks.callbacks:
            notify = getattr(callback, "on_explain_progress", None)
            if notify is not None:
                notify(self.done, self.total)


def _check_callbacks(callbacks: Any) -> None:
    known = (keras.callbacks.Callback, keras.callbacks.CallbackList)
    for each in callbacks if isinstance(callbacks, list | tuple) else [callbacks]:
        if not (callbacks is None or isinstance(each, known)):
            raise TypeError(
                f"`callbacks` must be Keras callbacks; received {type(each).__name__}."
            )
