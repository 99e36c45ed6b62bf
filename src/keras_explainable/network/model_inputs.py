"""Inputs of a model: matching them with the model's, converting and checking them.

Symbolic tensors have no values, so that only their shapes are checked.
"""

from typing import Any

import keras
import numpy as np

from keras_explainable.common.structures import Nested, flatten
from keras_explainable.network.dense_arrays import check_finite
from keras_explainable.types import Model


def check_inputs(model: Model, inputs: Nested) -> None:
    """Raise as ``as_inputs`` does, without converting arrays to tensors."""

    def check(symbol: Any, x: Any) -> None:
        check_shape(symbol, x.shape)
        check_finite(x)

    for_each_input(model, check, inputs)
    check_lengths(inputs)


def for_each_input(model: Model, function: Any, inputs: Any) -> Nested:
    """Return ``function(symbol, x)`` for each input, in the model's structure.

    Args:
        model: Keras model, or a callable like one.
        function: Function of the symbolic input (None if unknown) and the given input.
        inputs: For a model with several inputs, a dictionary by name, or a list in
            order if the model has one; else the single input.

    Raises:
        ValueError: If the inputs do not match those of the model.
    """
    symbols = symbolic_inputs(model)
    if symbols is None and isinstance(inputs, dict):
        return {name: function(None, x) for name, x in inputs.items()}
    if takes_list(model) and isinstance(inputs, list | tuple):
        return [function(None, x) for x in inputs]
    if not keras.tree.is_nested(symbols) and not isinstance(inputs, dict):
        return function(symbols, _without_list(model, symbols, inputs))
    _check_depth(symbols)
    pairs = zip(flatten(symbols), _in_input_order("x", symbols, inputs), strict=True)
    return keras.tree.pack_sequence_as(symbols, [function(*pair) for pair in pairs])


def _check_depth(symbols: Nested) -> None:
    """Raise ValueError if a structure of inputs holds other structures."""
    parts = symbols.values() if isinstance(symbols, dict) else symbols
    if keras.tree.is_nested(symbols) and any(map(keras.tree.is_nested, parts)):
        names = [symbol.name for symbol in flatten(symbols)]
        raise ValueError(
            "`model` must take its inputs in one dictionary or list; received one with "
            f"the inputs {names} in a nested structure. Wrap it: with "
            "`named = {x.name: x for x in model.inputs}`, explain "
            "`keras.Model(named, model.output)`."
        )


def takes_list(model: Model) -> bool:
    """Return whether a model of unknown inputs was called with a list of them.

    A list is otherwise one of samples.
    """
    if not isinstance(model, keras.Layer) or symbolic_inputs(model) is not None:
        return False
    shape = (model.get_build_config() or {}).get("input_shape")
    return isinstance(shape, list | tuple) and isinstance(shape[0], list | tuple)


def _without_list(model: Model, symbol: Any, inputs: Any) -> Any:
    """Return the only input, also from a list, which ``Model([x], ...)`` takes."""
    listed = isinstance(inputs, list | tuple) and len(inputs) == 1
    if not listed or not keras.tree.is_nested(getattr(model, "input", None)):
        return inputs
    return inputs[0] if np.ndim(inputs[0]) == len(symbol.shape) else inputs


def symbolic_inputs(model: Model) -> Nested:
    """Return the single input, or several in their structure; None if unknown."""
    symbols = getattr(model, "inputs", None) or [None]
    return symbols[0] if len(symbols) == 1 else model.input


def input_names(model: Model) -> list[str]:
    """Return the names of a model's inputs; an empty list if they are unknown."""
    return [symbol.name for symbol in getattr(model, "inputs", None) or ()]


def check_single_input(model: Model, inputs: Nested) -> None:
    """Raise ValueError if there are several inputs."""
    if keras.tree.is_nested(inputs):
        raise ValueError(
            "`model` must have one input for this method; received one with "
            f"{input_names(model) or sorted(inputs)}. Only CAMs and gradients (also "
            "integrated, guided, or smoothed with estimator='sampled') support "
            "several inputs."
        )


def in_model_structure(model: Model, inputs: Any) -> Any:
    """Return a dictionary of inputs by name in the model's own structure.

    Anything else, and the input of a model with one, is returned unchanged.

    Raises:
        ValueError: If the names are not those of the model's inputs.
    """
    symbols = symbolic_inputs(model)
    if not isinstance(inputs, dict) or not keras.tree.is_nested(symbols):
        return inputs
    return keras.tree.pack_sequence_as(symbols, _in_input_order("x", symbols, inputs))


def map_inputs_with(
    model: Model, function: Any, name: str, values: Any, *structures: Nested
) -> Nested:
    """Return ``function(value, x, ...)`` for each input of a model.

    Args:
        model: Model that the inputs belong to.
        function: Function of a parameter's value and of each structure's leaf.
        name: Name of the parameter, for error messages.
        values: One value for all inputs, or a dictionary of values by input name.
        *structures: Structures of values, all like that of the inputs.

    Raises:
        ValueError: If the names are not those of the model's inputs.
    """
    leaves = [*map(flatten, structures)]
    ordered = [values] * len(leaves[0])
    if isinstance(values, dict):
        symbols = symbolic_inputs(model)
        known = structures[0] if symbols is None else symbols
        ordered = _in_input_order(name, known, values)
    results = [function(*args) for args in zip(ordered, *leaves, strict=True)]
    return keras.tree.pack_sequence_as(structures[0], results)


def names_in_order(symbols: Nested) -> list[str]:
    """Return the names of symbolic inputs, in the order in which they are flattened."""
    if isinstance(symbols, dict):
        return sorted(symbols)
    return [getattr(symbol, "name", None) or "x" for symbol in flatten(symbols)]


def _in_input_order(name: str, symbols: Nested, values: Any) -> list[Any]:
    names = names_in_order(symbols)
    if isinstance(values, dict) and {*values} == {*names}:
        return [values[name] for name in names]
    by_name_only = isinstance(symbols, dict)  # A dictionary has no order to rely on.
    is_list = isinstance(values, list | tuple) and not by_name_only
    if is_list and len(values) == len(names):
        return list(values)
    received = sorted(values) if isinstance(values, dict) else type(values).__name__
    ways = "in a dictionary by name" if by_name_only else "by name or in a list"
    raise ValueError(
        f"`{name}` must have a value for each of the model's inputs {names}, {ways}; "
        f"received {received}."
    )


def check_shape(symbol: Any, shape: tuple[int | None, ...]) -> None:
    """Raise ValueError if a batch of this shape does not fit the input."""
    expected = None if symbol is None else tuple(symbol.shape)
    if expected is not None and not _fits(shape[1:], expected[1:]):
        raise ValueError(
            f"`x` must have shape {shape_text(expected)}, that of the model's input; "
            f"received {shape_text(shape)}.{_other_axes(shape, expected)}"
        )
    if expected is not None and len(expected) == 1:
        raise ValueError(
            "`model` must have inputs of at least one axis beside the batch's; "
            "received one of single numbers, `keras.Input(())`. Use "
            "`keras.Input((1,))`."
        )
    if len(shape) < 2 or 0 in shape:
        raise ValueError(
            "`x` must be a batch of at least one non-empty sample, (B, ...); "
            f"received shape {shape_text(shape)}."
        )


def _other_axes(shape: tuple[int | None, ...], expected: tuple[Any, ...]) -> str:
    """Return how to add or move an axis, if the shape fits then."""
    if _fits(shape, expected[1:]):
        return " Pass a single sample as `x[None]`."
    if len(shape) > 2 and _fits((*shape, 1), expected):
        return " Pass images without an axis of channels as `x[..., None]`."
    if len(shape) > 2 and _fits((shape[0], *shape[2:], shape[1]), expected):
        return " Pass images with the channels first as `numpy.moveaxis(x, 1, -1)`."
    if len(shape) > 2 and _fits((shape[0], shape[-1], *shape[1:-1]), expected):
        return " Pass images with the channels last as `numpy.moveaxis(x, -1, 1)`."
    return ""


def _fits(shape: tuple[int | None, ...], expected: tuple[int | None, ...]) -> bool:
    pairs = zip(shape, expected, strict=False)
    equal = all(None in pair or pair[0] == pair[1] for pair in pairs)
    return equal and len(shape) == len(expected)


def check_preprocessed(model: Model, inputs: Nested) -> None:
    """Raise ValueError unless preprocessed inputs have the shapes of the model's."""
    expected = flatten(symbolic_inputs(model))
    received = flatten(inputs)
    if expected == [None]:
        return
    shapes = [[(None, *x.shape[1:]) for x in each] for each in (expected, received)]
    if len(expected) != len(received) or not all(map(_fits, shapes[1], shapes[0])):
        one, other = (" and ".join(map(shape_text, each)) for each in shapes)
        raise ValueError(
            f"`preprocess` must return what the model takes, of shape {one}; "
            f"received {other} from it."
        )


def check_lengths(inputs: Nested) -> None:
    """Raise ValueError unless all inputs have the same number of rows."""
    lengths = [x.shape[0] for x in flatten(inputs)]
    if len({*lengths}) > 1:
        raise ValueError(
            f"`x` must have as many rows for every input; received {lengths}."
        )


def map_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the shape of a map for inputs of a shape: the spatial axes.

    The last axis is taken for channels, except in a table (B, features).
    """
    return tuple(shape[1:-1]) or tuple(shape[1:])


def shape_text(shape: Any) -> str:
    """Return a shape as text, with "any" for sizes that are not fixed."""
    sizes = ", ".join("any" if size is None else str(size) for size in shape)
    return f"({sizes},)" if len(shape) == 1 else f"({sizes})"
