"""Inputs that are quantities, and those that only choose: tokens, categories, masks.

A quantity has derivatives and may be given noise. What only chooses keeps its dtype.
"""

from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import (
    Nested,
    flatten,
    is_float,
    map_structure,
)
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.network.graph import Graph, GraphModel, Step
from keras_explainable.network.ignored_fractions import (
    columns_with_derivatives,
    example_shape,
)
from keras_explainable.network.layers_of_model import has_layer, model_state
from keras_explainable.network.quantity_columns import (
    CHOOSING_LAYERS,
    Columns,
    columns_of,
)
from keras_explainable.network.time_distributed import flattened
from keras_explainable.network.trace_model import trace
from keras_explainable.types import Model, Tensor

_cache = ModelCache(capacity=32)


def choosing_inputs(model: Model) -> list[bool] | None:
    """Return for each input whether it only chooses; None if the layers are unknown.

    It does if every way from it to the outputs leads through a mask, a lookup or a
    comparison, and if it is boolean. A layer that is not Keras' own may do anything
    with integers, so that those count as choosing, too.
    """
    numbers = range(len(flatten(getattr(model, "inputs", None) or ())))
    known = [only_chooses(model, number) for number in numbers]
    return None if None in known or not known else [*map(bool, known)]


def only_chooses(model: Model, number: int) -> bool | None:
    """Return whether one input only chooses; see ``choosing_inputs``."""
    columns = columns_of_input(model, number)
    return None if columns is None else not columns.quantities


def columns_of_input(model: Model, number: int) -> Columns | None:
    """Return which columns of one input are quantities; None for unknown layers."""
    make = partial(_columns_of_input, model, number)
    return _cache.get(model, number, make, model_state(model))


def _columns_of_input(model: Model, number: int) -> Columns | None:
    graph = graph_of_layers(model)
    if graph is None:
        return None
    flat = flattened(graph)
    with backend.eagerly():
        return columns_of(flat, flatten(flat.inputs)[number])


def graph_of_layers(model: Model) -> Graph | None:
    """Return the graph of the user's layers, also for a lowered copy."""
    if isinstance(model, GraphModel):
        return getattr(model, "original", model.graph)
    return trace(model) if isinstance(model, keras.Model) else None


def kept_dtype(model: Model, number: int, symbol: Any, x: Any) -> str | None:
    """Return the dtype that an input keeps as it only chooses; None for others.

    Args:
        model: Model that takes the input.
        number: Position of the input.
        symbol: Symbolic input; None if the model's inputs are not known.
        x: Tensor or array.
    """
    if symbol is None:
        dtype = keras.backend.standardize_dtype(x.dtype)
        whole = "int" in dtype and dtype != "uint8" and isinstance(model, keras.Model)
        return "int32" if whole else "bool" if dtype == "bool" else None
    if is_float(symbol) or not isinstance(model, keras.Model):
        return None
    dtype = keras.backend.standardize_dtype(symbol.dtype)
    if dtype == "bool":
        return dtype
    return dtype if only_chooses(model, number) else None


def with_floats(model: Model, inputs: Nested) -> Nested:
    """Return inputs of a model of unknown layers with floats in place of integers.

    Integers stay where layers choose by them, and those by which, as floats, the model
    has no derivatives.
    """
    types = _types(inputs)
    if all("int" not in str(dtype) for _, dtype in types):
        return inputs
    make = partial(_are_quantities, model, inputs)
    chosen = _cache.get(model, ("floats", types), make, model_state(model))
    leaves = zip(flatten(inputs), chosen, strict=True)
    floatx = keras.config.floatx()
    found = [ops.cast(x, floatx) if is_quantity else x for x, is_quantity in leaves]
    return keras.tree.pack_sequence_as(inputs, found)


def _are_quantities(model: keras.Model, inputs: Nested) -> list[bool]:
    """Return for each input whether it is of integers that are quantities."""
    whole = ["int" in str(dtype) for _, dtype in _types(inputs)]
    if has_layer(model, CHOOSING_LAYERS):
        return [False] * len(whole)
    numbers = range(len(whole))
    return [whole[n] and _has_derivatives_by(model, inputs, n) for n in numbers]


def _has_derivatives_by(model: keras.Model, inputs: Nested, number: int) -> bool:
    symbols = flatten(_symbols_of(inputs))
    symbols[number] = keras.KerasTensor(symbols[number].shape, keras.config.floatx())
    packed = keras.tree.pack_sequence_as(inputs, symbols)
    places = {id(symbols[number]): np.ones(example_shape(symbols[number]))}
    with backend.eagerly():
        return bool(columns_with_derivatives(_step_of(model, packed), {0: places}))


def _types(inputs: Nested) -> tuple[Any, ...]:
    return tuple((tuple(x.shape[1:]), x.dtype) for x in flatten(inputs))


def _symbols_of(inputs: Nested) -> Nested:
    def symbol(x: Tensor) -> keras.KerasTensor:
        return keras.KerasTensor((None, *x.shape[1:]), x.dtype)

    return map_structure(symbol, inputs)


def _step_of(model: keras.Model, symbols: Nested) -> Step:
    return Step(model, (symbols,), {}, keras.KerasTensor((None, 1), "float32"))


def takes_noise(model: Model, inputs: Nested) -> list[bool]:
    """Return for each input whether it is a quantity, which may be given noise.

    The graph of the layers shows that. Where it is not known, the model is tried.
    Integers are none, but for uint8, which stands for pixels.
    """
    leaves = flatten(inputs)
    kinds = choosing_inputs(model) if isinstance(model, keras.Model) else None
    symbols = getattr(model, "inputs", None) or [None] * len(leaves)
    if kinds is None and (tried := columns_of_unknown(model, inputs)) is not None:
        kinds = [each is not None and not each.quantities for each in tried]
    return [
        is_float(x)
        and (not kinds[number] if kinds is not None else _may_be_quantity(symbol))
        for number, (x, symbol) in enumerate(zip(leaves, symbols, strict=True))
    ]


def columns_with_noise(model: Model, inputs: Nested) -> list[Columns | None]:
    """Return for each input the columns that may be given noise; None for all."""
    known = isinstance(model, keras.Model) and choosing_inputs(model) is not None
    tried = None if known else columns_of_unknown(model, inputs)
    found = list[Columns | None]()
    for number, x in enumerate(flatten(inputs)):
        columns = tried[number] if tried else columns_of_input(model, number)
        some = columns is not None and _are_some(columns, x)
        found.append(columns if some else None)
    return found


def columns_of_unknown(model: Model, inputs: Nested) -> list[Columns | None] | None:
    """Return which columns of each input a model of unknown layers reads as quantities.

    It is tried, as a layer is. None for images, and integers, of which that is clear.
    """
    if not isinstance(model, keras.Model):
        return None
    types = _types(inputs)
    make = partial(_columns_of_whole, model, inputs)
    return _cache.get(model, types, make, model_state(model))


def _columns_of_whole(model: Model, inputs: Nested) -> list[Columns | None]:
    symbols = _symbols_of(inputs)
    step = _step_of(model, symbols)
    graph = Graph(symbols, (step,), step.outputs)
    images = () if has_layer(model, CHOOSING_LAYERS) else (4, 5)
    with backend.eagerly():
        return [
            columns_of(graph, x) if is_float(x) and len(x.shape) not in images else None
            for x in flatten(symbols)
        ]


def _are_some(columns: Columns, x: Tensor) -> bool:
    """Return whether only some columns of an input may be given noise, or none."""
    fits = len(x.shape) > 1 and columns.count == x.shape[-1] and is_float(x)
    return fits and not (columns.clear and len(columns.quantities) == columns.count)


def _may_be_quantity(symbol: Any) -> bool:
    return symbol is None or is_float(symbol) or bool(symbol.dtype == "uint8")
