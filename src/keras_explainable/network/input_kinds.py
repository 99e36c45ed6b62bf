"""Inputs that are quantities, and those that only choose: tokens, categories, masks.

A quantity has derivatives and may be given noise. What only chooses keeps its dtype.
"""

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers

from keras_explainable.common.structures import Nested, flatten, is_float
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.network.graph import Graph, GraphModel, Step, ids, symbols_in
from keras_explainable.network.layers_of_model import has_layer, model_state
from keras_explainable.network.trace_model import inlined, trace
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

_cache = ModelCache(capacity=1)


def choosing_inputs(model: Model) -> list[bool] | None:
    """Return for each input whether it only chooses; None if the layers are unknown.

    It does if every way from it to the outputs leads through a mask, a lookup or a
    comparison. A layer that is not Keras' own may do anything with integers, so that
    those count as choosing, too.
    """
    state = model_state(model)
    return _cache.get(model, "choosing", lambda: _choosing_inputs(model), state)


def _choosing_inputs(model: Model) -> list[bool] | None:
    graph = graph_of_layers(model)
    if graph is None:
        return None
    graph = inlined(graph)
    return [not _has_derivative(graph, x) for x in flatten(graph.inputs)]


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
    if isinstance(operation, CHOOSING_LAYERS):
        return True
    if not isinstance(operation, keras.Layer):
        return type(operation).__name__ in CHOOSING_OPERATIONS
    own = type(operation).__module__.split(".")[0] not in ("keras", "keras_explainable")
    return whole and (own or isinstance(operation, layers.Lambda))


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
    kinds = choosing_inputs(model)
    dtype = keras.backend.standardize_dtype(symbol.dtype)
    return dtype if kinds and kinds[number] else None


def takes_noise(model: Model, inputs: Nested) -> list[bool]:
    """Return for each input whether it is a quantity, which may be given noise.

    Integers are none, but for uint8, which stands for pixels.
    """
    leaves = flatten(inputs)
    kinds = choosing_inputs(model) if isinstance(model, keras.Model) else None
    symbols = getattr(model, "inputs", None) or [None] * len(leaves)
    return [
        is_float(x)
        and not (kinds and kinds[number])
        and (symbol is None or is_float(symbol) or symbol.dtype == "uint8")
        for number, (x, symbol) in enumerate(zip(leaves, symbols, strict=True))
    ]
