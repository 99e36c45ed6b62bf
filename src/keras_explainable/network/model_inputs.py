"""Inputs of a model: matched with those it has, made into tensors, checked.

What is being traced has no values yet, so only its shape can be checked then.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten
from keras_explainable.types import Model, Tensor


def as_inputs(model: Model, inputs: Any) -> Nested:
    """Return ``inputs`` as float tensors (B, ...) that fit ``model``.

    Of a model with several inputs they are in the structure that it was made with.

    Raises:
        ValueError: if they are empty, NaN or infinite, or of the wrong shape.
        TypeError: if they are not numbers.
    """
    found = for_each_input(model, _as_input, inputs)
    _check_lengths(found)
    return found


def check_inputs(model: Model, inputs: Nested) -> None:
    """Raise as ``as_inputs`` does, for arrays, without making tensors of them."""

    def check(symbol: Any, x: Any) -> None:
        _check_shape(symbol, x.shape)
        check_finite(x)

    for_each_input(model, check, inputs)
    _check_lengths(inputs)


def for_each_input(model: Model, function: Any, inputs: Any) -> Nested:
    """Return ``function(symbol, x)`` for each input, in the model's structure.

    Args:
        model: Keras model, or anything that is called as one.
        function: of the symbolic input, None if it is not known, and what is given.
        inputs: for a model with several inputs a dictionary by their names, or a list
            in their order; else the one input.

    Raises:
        ValueError: if there is not one for each of the model's.
    """
    symbols = symbolic_inputs(model)
    if symbols is None and isinstance(inputs, dict):
        return {name: function(None, x) for name, x in inputs.items()}
    if symbols is None or not keras.tree.is_nested(symbols):
        named = symbols is not None and isinstance(inputs, dict)
        return function(
            symbols, _in_order("x", symbols, inputs)[0] if named else inputs
        )
    pairs = zip(flatten(symbols), _in_order("x", symbols, inputs), strict=True)
    return keras.tree.pack_sequence_as(symbols, [function(*pair) for pair in pairs])


def symbolic_inputs(model: Model) -> Nested:
    """Return the one input, or several in their structure; None if not known."""
    symbols = getattr(model, "inputs", None) or [None]
    return symbols[0] if len(symbols) == 1 else model.input


def input_names(model: Model) -> list[str]:
    """Return the names of a model's inputs; none if they are not known."""
    return [symbol.name for symbol in getattr(model, "inputs", None) or ()]


def check_single_input(model: Model, inputs: Nested) -> None:
    """Raise ValueError unless there is one input only."""
    if keras.tree.is_nested(inputs):
        raise ValueError(
            "`model` must have one input for this method; received one with "
            f"{input_names(model) or sorted(inputs)}. Gradients, also integrated, "
            "smoothed or guided, and CAMs take several."
        )


def in_model_structure(model: Model, given: Any) -> Any:
    """Return what is given by the names of inputs in the model's own structure.

    Anything but a dictionary, or for a model of one input, is returned as it is.

    Raises:
        ValueError: if other inputs are named.
    """
    symbols = symbolic_inputs(model)
    if not isinstance(given, dict) or not keras.tree.is_nested(symbols):
        return given
    return keras.tree.pack_sequence_as(symbols, _in_order("x", symbols, given))


def map_inputs_with(
    model: Model, function: Any, name: str, given: Any, *trees: Nested
) -> Nested:
    """Return ``function(its part of given, x, ...)`` for each input.

    Args:
        model: what the inputs are of.
        function: of a parameter, and of what the trees have for an input.
        name: what the parameter is called.
        given: the parameter: a dictionary by the names of inputs, or the same for all.
        *trees: in the structure of the inputs.

    Raises:
        ValueError: if other inputs are named.
    """
    flat = [flatten(tree) for tree in trees]
    named = isinstance(given, dict)
    symbols = symbolic_inputs(model)
    symbols = trees[0] if symbols is None else symbols
    parts = _in_order(name, symbols, given) if named else [given] * len(flat[0])
    found = [function(*each) for each in zip(parts, *flat, strict=True)]
    return keras.tree.pack_sequence_as(trees[0], found)


def _in_order(name: str, symbols: Nested, given: Any) -> list[Any]:
    names = _names(symbols)
    if isinstance(given, dict) and {*given} == {*names}:
        return [given[name] for name in names]
    if isinstance(given, list | tuple) and len(given) == len(names):
        return list(given)
    received = sorted(given) if isinstance(given, dict) else type(given).__name__
    raise ValueError(
        f"`{name}` must have a value for each of the model's inputs {names}, by name "
        f"or in a list; received {received}."
    )


def _names(symbols: Nested) -> list[str]:
    """Return what inputs are called, in the order of their symbols."""
    if isinstance(symbols, dict):
        return sorted(symbols)  # As trees are flattened.
    return [getattr(symbol, "name", "x") for symbol in flatten(symbols)]


def _as_input(symbol: Any, x: Any) -> Tensor:
    x = as_array("x", x)
    _check_shape(symbol, tuple(x.shape))
    x = ops.cast(ops.convert_to_tensor(x), _float_dtype(symbol))
    check_finite(x)
    return x


def as_array(name: str, x: Any) -> Any:
    """Return a tensor as it is, anything else as a NumPy array.

    Raises:
        TypeError: unless it holds real numbers.
    """
    if not ops.is_tensor(x):
        try:
            x = np.asarray(x)
        except (TypeError, ValueError, RuntimeError) as error:
            message = f"`{name}` must be an array of numbers; {error}"
            raise TypeError(message) from error
    if not dtype_name(x).startswith(("float", "bfloat", "int", "uint", "bool")):
        raise TypeError(
            f"`{name}` must be an array of real numbers; received {dtype_name(x)}."
        )
    return x


def check_finite(x: Any, name: str = "x") -> None:
    """Raise ValueError if ``x``, called ``name``, holds NaN or infinite values."""
    if backend.is_symbolic(x):
        return
    finite = ops.all(ops.isfinite(x)) if ops.is_tensor(x) else np.isfinite(x).all()
    if not finite:
        raise ValueError(f"`{name}` must be finite; received NaN or infinite values.")


def _check_shape(symbol: Any, shape: tuple[int | None, ...]) -> None:
    """Raise ValueError if a batch of this shape cannot be this input."""
    expected = None if symbol is None else tuple(symbol.shape)
    sizes = zip(shape[1:], expected[1:] if expected else (), strict=False)
    fits = expected is None or len(shape) == len(expected)
    if not fits or any(None not in pair and pair[0] != pair[1] for pair in sizes):
        raise ValueError(
            f"`x` must have shape {shape_text(expected)}, as the model's "
            f"input has; received {shape_text(shape)}."
        )
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            "`x` must be a batch of at least one non-empty sample, (B, ...); "
            f"received shape {shape_text(shape)}."
        )


def _check_lengths(inputs: Nested) -> None:
    lengths = [x.shape[0] for x in flatten(inputs)]
    if len({*lengths}) > 1:
        raise ValueError(
            "`x` must have as many rows of each input as of the others; received "
            f"{lengths}."
        )


def map_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a map of inputs of a shape: their spatial axes.

    Of a table (B, features) these are the features; else the last axis is of channels.
    """
    return tuple(shape[1:-1]) or tuple(shape[1:])


def dtype_name(x: Any) -> str:
    """Return the name of the dtype of a tensor or array."""
    return (
        keras.backend.standardize_dtype(x.dtype) if ops.is_tensor(x) else x.dtype.name
    )


def _float_dtype(symbol: Any) -> str:
    """The input's dtype; Keras' default where that is not a float (uint8)."""
    dtype = keras.backend.standardize_dtype(symbol.dtype) if symbol is not None else ""
    return dtype if "float" in dtype else keras.config.floatx()


def shape_text(shape: Any) -> str:
    """Return a shape as people read it, "any" where it is not fixed."""
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"
