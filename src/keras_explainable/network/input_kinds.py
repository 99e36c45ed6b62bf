"""Inputs that are quantities, and those that only choose: tokens, categories, masks.

A quantity has derivatives and may be given noise. What only chooses keeps its dtype.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten, is_float
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.network.graph import Graph, GraphModel, Step, ids, symbols_in
from keras_explainable.network.layers_of_model import has_layer, model_state
from keras_explainable.network.time_distributed import (
    operation_on_frames,
    with_layers_on_frames,
)
from keras_explainable.network.trace_model import inlined_with_calls, trace
from keras_explainable.types import Model

#: Layers whose outputs jump where their inputs change.
CHOOSING_LAYERS = (
    layers.CategoryEncoding,
    layers.Discretization,
    layers.Embedding,
    layers.HashedCrossing,
    layers.Hashing,
    layers.IntegerLookup,
    layers.StringLookup,
)

#: Names of operations of the same kind.
CHOOSING_OPERATIONS = {
    "Argmax", "Argmin", "Argsort", "Ceil", "Equal", "Floor", "Greater", "GreaterEqual",
    "IsFinite", "IsInf", "IsNan", "Less", "LessEqual", "MultiHot", "NotEqual", "OneHot",
    "Round", "SearchSorted", "Sign",
}  # fmt: skip

#: Operations that look rows up: what comes after their first argument only chooses.
LOOK_UPS = {"Take", "TakeAlongAxis"}

_cache = ModelCache(capacity=32)


def choosing_inputs(model: Model) -> list[bool] | None:
    """Return for each input whether it only chooses; None if the layers are unknown.

    It does if every way from it to the outputs leads through a mask, a lookup or a
    comparison. A layer that is not Keras' own may do anything with integers, so that
    those count as choosing, too.
    """
    numbers = range(len(flatten(getattr(model, "inputs", None) or ())))
    known = [only_chooses(model, number) for number in numbers]
    return None if None in known or not known else [*map(bool, known)]


def only_chooses(model: Model, number: int) -> bool | None:
    """Return whether one input only chooses; see ``choosing_inputs``."""
    make = partial(_only_chooses, model, number)
    return _cache.get(model, number, make, model_state(model))


def _only_chooses(model: Model, number: int) -> bool | None:
    graph = graph_of_layers(model)
    if graph is None:
        return None
    flat, _ = with_layers_on_frames(*inlined_with_calls(graph))
    return not _has_derivative(flat, flatten(flat.inputs)[number])


def graph_of_layers(model: Model) -> Graph | None:
    """Return the graph of the user's layers, also for a lowered copy."""
    if isinstance(model, GraphModel):
        return getattr(model, "original", model.graph)
    return trace(model) if isinstance(model, keras.Model) else None


def _has_derivative(graph: Graph, symbol: Any) -> bool:
    reached = {id(symbol)}
    whole = not is_float(symbol) and symbol.dtype != "uint8"
    for step in graph.steps:
        read = [x for x in _quantities(step) if id(x) in reached]
        if not read or _chooses(step.operation, whole):
            continue
        if is_float(symbol) and _ignores_fractions(step, read):
            continue
        written = flatten(step.outputs)
        jumps = any(map(is_float, read)) and not any(map(is_float, written))
        reached |= set() if jumps else ids(written)
    return bool(reached & ids(graph.outputs))


def _quantities(step: Step) -> Sequence[Any]:
    """Return the tensors that a step may read as quantities."""
    if type(step.operation).__name__ in LOOK_UPS:
        return symbols_in(step.args[:1])
    options = {name: x for name, x in step.kwargs.items() if "mask" not in name}
    return symbols_in([step.args, options])


def _chooses(operation: Any, whole: bool) -> bool:
    operation = operation_on_frames(operation)
    if isinstance(operation, CHOOSING_LAYERS):
        return True
    if not isinstance(operation, keras.Layer):
        return type(operation).__name__ in CHOOSING_OPERATIONS
    own = type(operation).__module__.split(".")[0] not in ("keras", "keras_explainable")
    return whole and (own or isinstance(operation, layers.Lambda))


def _ignores_fractions(step: Step, read: Sequence[Any]) -> bool:
    """Return whether a layer that holds a choosing one takes fractions for 0.

    So does one that casts to integers. If it cannot be tried, that counts as choosing.
    """
    layer = operation_on_frames(step.operation)
    if not isinstance(layer, keras.Layer) or not has_layer(layer, CHOOSING_LAYERS):
        return False
    rng = np.random.default_rng(0)
    zeros = {id(x): np.zeros(_shape(x)) for x in step.reads}
    fractions = zeros | {id(x): rng.uniform(0.1, 0.4, _shape(x)) for x in read}
    try:
        one, other = (_outputs(step, values) for values in (zeros, fractions))
    except Exception:
        return True
    return all(map(np.array_equal, one, other))


def _shape(symbol: Any) -> tuple[int, ...]:
    return symbol.shape[0] or 1, *(size or 8 for size in symbol.shape[1:])


def _outputs(step: Step, values: dict[int, Any]) -> list[Any]:
    tensors = {id(x): ops.cast(values[id(x)], x.dtype) for x in step.reads}
    with backend.state_kept():
        return [*map(ops.convert_to_numpy, flatten([*step.run(tensors).values()]))]


def kept_dtype(model: Model, number: int, symbol: Any, x: Any) -> str | None:
    """Return the dtype that an input keeps as it only chooses; None for others.

    Args:
        model: Model that takes the input.
        number: Position of the input.
        symbol: Symbolic input; None if the model's inputs are not known.
        x: Tensor or array.
    """
    if symbol is None:
        chooses = has_layer(model, CHOOSING_LAYERS)
        dtype = keras.backend.standardize_dtype(x.dtype)
        whole = "int" in dtype and dtype != "uint8" and chooses
        return "int32" if whole else "bool" if dtype == "bool" else None
    if is_float(symbol) or not isinstance(model, keras.Model):
        return None
    dtype = keras.backend.standardize_dtype(symbol.dtype)
    return dtype if only_chooses(model, number) else None


def takes_noise(model: Model, inputs: Nested) -> list[bool]:
    """Return for each input whether it is a quantity, which may be given noise.

    The graph of the layers shows that. Where it is not known, integers are none, but
    for uint8, which stands for pixels.
    """
    leaves = flatten(inputs)
    kinds = choosing_inputs(model) if isinstance(model, keras.Model) else None
    symbols = getattr(model, "inputs", None) or [None] * len(leaves)
    return [
        is_float(x) and (not kinds[number] if kinds else _may_be_quantity(symbol))
        for number, (x, symbol) in enumerate(zip(leaves, symbols, strict=True))
    ]


def _may_be_quantity(symbol: Any) -> bool:
    return symbol is None or is_float(symbol) or bool(symbol.dtype == "uint8")
