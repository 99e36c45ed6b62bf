"""Progress of a call to ``explain``: Keras' callbacks and Keras' progress bar."""

from collections.abc import Callable
from typing import Any

import keras

from keras_explainable.types import Model


class Progress:
    """Tells callbacks and the progress bar how far an explanation has come.

    What is counted is network rows: images, times the noisy copies made of each.
    A callback that has a method ``on_explain_progress(done, total)`` is told of each
    chunk; ``total`` is None while it is not known.
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
        self.bar = keras.utils.Progbar(None, verbose=verbose, unit_name="sample")
        self.callbacks = keras.callbacks.CallbackList(
            callbacks, model=model, verbose=verbose, epochs=1, steps=steps
        )

    def of_batch(self, images: int) -> Callable[[int, int], None]:
        """Return what a method is to call with its rows done and their total."""
        before = self.done

        def report(done: int, total: int) -> None:
            if self.images is not None and images:
                self.total = self.images * total // images
            self.done = before + done
            self._show()

        return report

    def finish(self) -> None:
        """Close the bar at what was done."""
        self.total = self.done
        self._show(finalize=True)

    def _show(self, finalize: bool = False) -> None:
        # The bar finishes itself at its target, then again: leave that to `finish`.
        if finalize or self.done != self.total:
            self.bar.target = self.total
            self.bar.update(self.done, finalize=finalize)
        for callback in self.callbacks.callbacks:
            tell = getattr(callback, "on_explain_progress", None)
            if tell is not None:
                tell(self.done, self.total)


def _check_callbacks(callbacks: Any) -> None:
    known = (keras.callbacks.Callback, keras.callbacks.CallbackList)
    for each in callbacks if isinstance(callbacks, list | tuple) else [callbacks]:
        if not (callbacks is None or isinstance(each, known)):
            raise TypeError(
                f"`callbacks` must be Keras callbacks; received {type(each).__name__}."
            )
