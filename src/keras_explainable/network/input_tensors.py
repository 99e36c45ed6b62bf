"""Inputs as the tensors that a model takes, checked and in the dtype that suits."""

from contextlib import suppress
from typing import Any

import keras
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten, map_structure
from keras_explainable.network.dense_arrays import as_array, check_finite
from keras_explainable.network.foreign_models import check_is_keras_model
from keras_explainable.network.input_kinds import kept_dtype, with_floats
from keras_explainable.network.model_inputs import (
    check_lengths,
    check_shape,
    for_each_input,
    symbolic_inputs,
)
from keras_explainable.types import Model, Tensor


def as_inputs(model: Model, inputs: Any) -> Nested:
    """Return ``inputs`` as tensors (B, ...) that fit ``model``.

    They are floats, but for tokens, categories and masks, which keep their dtype. A
    model that was never called is built, by calling it on the first row. Several inputs
    are returned in the structure with which the model was built.

    Raises:
        ValueError: If they are empty, NaN or infinite, or of the wrong shape.
        TypeError: If they are not numbers, or ``model`` is not a Keras 3 model.
    """
    check_is_keras_model(model)
    order = flatten(symbolic_inputs(model))

    def convert(symbol: Any, x: Any) -> Tensor:
        number = next((n for n, each in enumerate(order) if each is symbol), 0)
        return _as_input(model, number, symbol, x)

    tensors = for_each_input(model, convert, inputs)
    check_lengths(tensors)
    if isinstance(model, keras.Model) and symbolic_inputs(model) is None:
        with suppress(Exception):  # Of a model that takes no integers.
            _build(model, tensors)
        tensors = with_floats(model, tensors)
    _build(model, tensors)
    return tensors


def _as_input(model: Model, number: int, symbol: Any, x: Any) -> Tensor:
    x = as_array("x", x)
    check_shape(symbol, tuple(x.shape))
    dtype = kept_dtype(model, number, symbol, x) or _float_dtype(symbol)
    x = ops.cast(ops.convert_to_tensor(x), dtype)
    check_finite(x)
    return x


def _build(model: Model, inputs: Nested) -> None:
    has_values = not backend.is_symbolic(flatten(inputs)[0])
    if has_values and not getattr(model, "built", True):
        with backend.state_kept():
            model(map_structure(lambda x: x[:1], inputs), training=False)


def _float_dtype(symbol: Any) -> str:
    """Return the input's dtype, or Keras' default if it is not a float (uint8)."""
    dtype = keras.backend.standardize_dtype(symbol.dtype) if symbol is not None else ""
    return dtype if "float" in dtype else keras.config.floatx()
