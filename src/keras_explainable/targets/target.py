"""The target: a function of a model's outputs, with data of each image."""

import copy
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.common import checks
from keras_explainable.common.warnings import warn
from keras_explainable.network.dense_arrays import as_array
from keras_explainable.types import Model, Tensor

_PACKAGE = __name__.rpartition(".")[0]

#: Stands for the explained inputs themselves in ``Target.data``.
INPUTS = object()


def _same(model: Model) -> Model:
    return model


class Target:
    """A score to explain: ``function(outputs, *data)``.

    Args:
        function: Function of what the model returns, and of an array of data (B, ...)
            for each further argument. It returns real numbers, (B,) or (B, units), and
            uses ``keras.ops`` or operations of the backend.
        *data: Arrays (N, ...) with a row for each of the N images. The row follows its
            image into batches and noisy copies. Images are then explained one by one.
        logits: Whether the function is given logits in place of the probabilities of a
            final softmax or sigmoid.
        view: Function from the model to the one whose outputs are used.

    Attributes:
        has_positions: Whether rows of the data, such as masks, belong to positions of
            the image, so that the image must not be flipped or scaled.

    Raises:
        TypeError: If the function cannot be called, or data are not arrays of numbers.

    Example::

        weigh = lambda outputs, weights: keras.ops.sum(outputs * weights, axis=-1)
        maps = ke.smoothgrad(model, x, ke.targets.Target(weigh, weights))
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        *data: Any,
        logits: bool = False,
        view: Callable[[Model], Model] = _same,
    ):
        checks.is_callable("function", function)
        checks.boolean("logits", logits)
        self.function, self.logits, self.view = function, logits, view
        self.data = [*map(_as_data, data)]
        self.has_positions = any(part is INPUTS or part.ndim > 2 for part in self.data)

    def places_data_of(self, model: Any, x: Any) -> bool:
        """Return whether data belong to positions of the image, or to steps (N, T).

        Args:
            model: Model with one or several outputs; (B, T, C) have steps.
            x: Its inputs, which have as many steps as outputs of any length.
        """
        several = [each.shape for each in getattr(model, "outputs", None) or ()]
        length = x.shape[1] if len(getattr(x, "shape", ())) == 3 else None
        steps = {shape[1] or length for shape in several if len(shape) == 3}
        of_steps = (
            part is not INPUTS and part.ndim == 2 and part.shape[1] in steps
            for part in self.data
        )
        return self.has_positions or any(of_steps)

    def with_inputs(
        self, x: Any, preprocess: Callable[[Tensor], Tensor] | None = None
    ) -> "Target":
        """Return the target with the explained inputs where it asks for them.

        Args:
            x: The inputs that are explained.
            preprocess: Function from them to what the model sees.

        Raises:
            ValueError: If ``x`` cannot be had whole, or has another number of rows than
                the data.
        """
        if not any(part is INPUTS for part in self.data):
            if hasattr(x, "shape"):
                self.check_rows(len(x))
            return self
        if not isinstance(x, np.ndarray) and not ops.is_tensor(x):
            raise ValueError(
                "`x` must be an array (N, ...) for a target of the inputs themselves; "
                f"received {type(x).__name__}."
            )
        seen = x if preprocess is None else _preprocessed(x, preprocess)
        found = copy.copy(self)
        found.data = [_as_data(seen) if part is INPUTS else part for part in self.data]
        return found

    def check_rows(self, count: int) -> None:
        """Raise ValueError unless the data have a row for each of ``count`` images."""
        for part in self.data:
            if len(part) != count:
                raise ValueError(
                    f"`y` must have one row of data for each of the {count} images; "
                    f"received {len(part)}."
                )

    def warn_of_unused_rows(self, count: int) -> None:
        """Warn if the data have more rows than there were images."""
        if longer := [len(part) for part in self.data if len(part) > count]:
            warn(
                f"`y` has {longer[0]} rows of data, and `x` only {count} images. Each "
                "image had the row at its position: are these its own?"
            )

    def rows_of(self, position: int) -> list[np.ndarray]:
        """Return the data of one image, (1, ...) each."""
        for part in self.data:
            if position >= len(part):
                self.check_rows(position + 1)
        return [part[position : position + 1] for part in self.data]


def _preprocessed(x: Any, preprocess: Callable[[Tensor], Tensor]) -> np.ndarray:
    """Return preprocessed images, one by one, as all may not fit the device."""
    images = (ops.convert_to_tensor(x[at : at + 1]) for at in range(len(x)))
    floats = (ops.cast(image, keras.config.floatx()) for image in images)
    return np.concatenate([ops.convert_to_numpy(preprocess(x)) for x in floats])


def _as_data(values: Any) -> Any:
    if values is INPUTS:
        return values
    values = as_array("data", values)
    array = ops.convert_to_numpy(values) if ops.is_tensor(values) else values
    if array.ndim == 0 or array.dtype.kind not in "fiub":
        raise TypeError(
            "`data` must be arrays of numbers with one row for each image; received "
            f"{values!r:.60}."
        )
    if array.dtype.kind == "b":
        return array
    return array.astype("float32" if array.dtype.kind == "f" else "int32")


def as_target(y: Any, logits: bool | None) -> Target | None:
    """Return ``y`` as a target if it is one, or a function; else None.

    Args:
        y: What to explain.
        logits: Whether the function is given logits; None to let the target say.

    Raises:
        TypeError: If ``y`` is a function of ``ke.targets`` that was not called, a loss,
            or several functions.
    """
    ours = str(getattr(y, "__module__", "")).startswith(_PACKAGE)
    if ours and not isinstance(y, Target):
        raise TypeError(
            f"`y` must be a target; received the function that makes one. Write "
            f"`ke.targets.{y.__name__}(...)`."
        )
    _check_one_function(y)
    target = y if isinstance(y, Target) else None
    if target is None and callable(y):
        target = Target(y)
    if target is None or logits is None:
        return target
    target = copy.copy(target)
    target.logits = logits
    return target


def _check_one_function(y: Any) -> None:
    if isinstance(y, keras.losses.Loss | keras.Metric):
        raise TypeError(
            "`y` must be units, a function or a target; received the "
            f"{'loss' if isinstance(y, keras.losses.Loss) else 'metric'} {y.name!r}. "
            "Write `ke.targets.loss(labels, loss)` for the loss of each image."
        )
    if isinstance(y, list | tuple) and any(map(callable, y)):
        raise TypeError(
            f"`y` must be one function or target; received {len(y)} in a "
            f"{type(y).__name__}. One function may return several values for each "
            "image, (B, K), as `ops.stack([f(outputs), g(outputs)], axis=1)` does."
        )
