"""The layer at the end of a model that calls a function for ``y``."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.common.structures import first_of, flatten, is_float
from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.execution.model_preparation import unwrapped
from keras_explainable.inspection.asked_outputs import asked_outputs
from keras_explainable.network.dense_arrays import dtype_name
from keras_explainable.network.model_inputs import shape_text
from keras_explainable.types import Tensor

#: Function from the outputs of a model, and maybe data, to (B,) or (B, units).
Target = Callable[..., Tensor]


def shapes_of(outputs: Any) -> str:
    """Return the shapes of outputs as text."""
    return ", ".join(shape_text(x.shape) for x in flatten(outputs))


@contextmanager
def own_errors(layer: "TargetLayer", shapes: str | None = None) -> Iterator[None]:
    """Raise the error of a target's function without Keras' words around it.

    Args:
        layer: Layer that calls the function.
        shapes: Shapes of the outputs, as text; None for those that it was given last.
    """
    layer.error = None
    try:
        yield
    except Exception:  # The user's function may raise anything.
        reason = layer.error  # Keras may have made another error of it.
        if reason is None:
            raise
        if layer.is_of_package() and isinstance(reason, ValueError):
            raise ValueError(
                f"`y` must fit the model's outputs, of shape {shapes or layer.shapes}: "
                f"{_text(reason)}"
            ) from reason
        raise ValueError(
            f"{type(reason).__name__} in the function given for `y`, which received "
            f"outputs of shape {shapes or layer.shapes}: {_text(reason)}\n"
            "`y` must be a function of the model's outputs to real numbers (B,) or "
            "(B, units). Data of each image belong to "
            "`ke.targets.Target(function, data)`."
        ) from reason


def _text(error: Exception) -> str:
    return str(error.args[0]) if error.args else str(error)


class TargetLayer(keras.layers.Layer):
    """A layer that calls a function of a model's outputs.

    Attributes:
        data: One row (1, ...) of data for each further argument of the function.
        error: What the function raised when it was last called, if it did.
        shapes: The shapes of the outputs that it was given then, as text.
    """

    def __init__(self, target: Target, structure: Any, data: Sequence[np.ndarray]):
        super().__init__(name="y", autocast=False, trainable=False)
        self.supports_masking = True  # Else, Keras warns of a layer of ours.
        self.target, self.structure = target, structure
        self.error: Exception | None = None
        self.shapes = ""
        self.data = [self._variable(row) for row in data]
        self._kept: Any = None
        self.built = True

    def _variable(self, row: np.ndarray) -> keras.Variable:
        options = {"dtype": row.dtype.name, "trainable": False}
        return self.add_weight(row.shape, lambda *_, **__: row, **options)

    def is_of_package(self) -> bool:
        """Return whether the function is one of this package's."""
        module = getattr(unwrapped(self.target), "__module__", None) or ""
        return module.startswith("keras_explainable.")

    def _takes_mask(self) -> bool:
        return self.is_of_package() and accepts_parameter(self.target, "mask")

    def call(self, outputs: Any, mask: Any = None) -> Tensor:
        """Return what the function returns, as (B, units).

        Args:
            outputs: What the model returns.
            mask: Which steps of the outputs count, as Keras passes it on; for losses.
        """
        self.error = None
        try:
            return self._units(outputs, mask)
        except Exception as error:
            self.error = error
            self.shapes = shapes_of(outputs)
            raise

    def check_symbol(self, symbol: Any, outputs: Any) -> None:
        """Raise unless a symbol of the units has as many rows as those of the outputs.

        TensorFlow makes up no number of rows that the call could compare.
        """
        if symbol.shape[0] and not any(x.shape[0] for x in flatten(outputs)):
            self.error, self.shapes = _other_rows(symbol.shape), shapes_of(outputs)
            raise self.error

    def value_of(self, outputs: Any, rows: Any, **options: Any) -> Tensor:
        """Return what the function returns for outputs of so many rows."""
        data = [ops.repeat(x.value, rows, axis=0) for x in self.data]
        return self.target(outputs, *data, **options)

    def keep(self, outputs: Any, keys: Sequence[Any]) -> list[Any]:
        """Return those of a model's outputs that the layer is called with from now on.

        Args:
            outputs: Symbols of what the model returns.
            keys: Keys or positions of the outputs that the function asks for.
        """
        self._kept = outputs, keys
        return flatten([flatten(outputs[key]) for key in keys])

    def _as_given(self, read: list[Tensor]) -> Any:
        structure, keys = self._kept
        each, values = iter(read), {}
        for key in keys:
            leaves = [next(each) for _ in flatten(structure[key])]
            values[key] = keras.tree.pack_sequence_as(structure[key], leaves)
        return asked_outputs(structure, values)

    def _units(self, outputs: Any, mask: Any) -> Tensor:
        first = first_of(outputs)
        outputs = self._as_given(outputs) if self._kept else outputs
        if self.structure is not None and not keras.tree.is_nested(outputs):
            outputs = keras.tree.pack_sequence_as(self.structure, [outputs])
        if keras.tree.is_nested(outputs) and self.is_of_package():
            raise ValueError(
                "it is of one output, and the model has several; "
                "`ke.targets.output(name, then=...)` chooses one"
            )
        rows, count = first.shape[0], ops.shape(first)[0]
        masked = mask is not None and self._takes_mask()
        units = self.value_of(outputs, count, **({"mask": mask} if masked else {}))
        shape = _static_shape(units)
        if len(shape) not in (1, 2):
            raise ValueError(f"it returns {units!r}, not a tensor (B,) or (B, units)")
        other_rows = None not in (rows, shape[0]) and rows != shape[0]
        if None in shape[1:] or other_rows:
            raise _other_rows(shape)
        if not is_float(units):
            raise TypeError(f"it returns {dtype_name(units)}, which has no derivative")
        return ops.expand_dims(units, -1) if len(units.shape) == 1 else units


def _other_rows(shape: tuple[int | None, ...]) -> ValueError:
    return ValueError(  # The number of rows is not named: it may be made up.
        f"it returns {shape_text(shape)}, not one row for each sample with a number of "
        "units that is known beforehand"
    )


def _static_shape(x: Any) -> tuple[int | None, ...]:
    try:
        return tuple(getattr(x, "shape", ()))
    except ValueError as error:  # TensorFlow does not always know the number of axes.
        raise ValueError(
            "it returns a tensor of unknown shape, which `keras.ops.reshape` sets"
        ) from error
