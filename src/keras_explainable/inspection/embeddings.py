"""Tokens, which have no derivatives, and the vectors that are looked up for them."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_explainable.common.structures import Nested, flatten
from keras_explainable.inspection.find_layers import layers_reversed
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.network.graph import Graph, Step, substituted
from keras_explainable.network.model_inputs import as_inputs
from keras_explainable.network.trace_model import inlined, trace
from keras_explainable.types import Model, Tensor


def embedded_model(model: Model) -> tuple[Model, Callable[[Nested], Nested]]:
    """Return a model of the vectors that ``model`` looks up, and how to look them up.

    Inputs that only an ``Embedding`` reads become inputs of vectors (B, T, D);
    other inputs stay. ``ke.explain`` does this by itself: derivatives, noise and paths
    are those of the vectors.

    Args:
        model: any Keras model, which is only read. One without such inputs, or whose
            layers are not known, is returned itself; so is one whose embedding masks
            zeros, as vectors have no mask.

    Returns:
        The model, sharing ``model``'s layers, and the function from inputs of
        ``model`` to its own, which raises ValueError for tokens that do not exist.

    Example::

        embedded, look_up = ke.inspection.embedded_model(model)
        logits, maps = ke.methods.gradient.gradients(embedded, look_up(tokens))
    """
    vectors = rewritten_model(model, _of_vectors)
    if vectors is model:
        return model, lambda inputs: inputs
    graph: Any = trace(model)
    tables = _tables(inlined(graph))

    def look_up(inputs: Nested) -> Nested:
        inputs = as_inputs(model, inputs)
        pairs = zip(tables, flatten(inputs), strict=True)
        found = [x if table is None else _looked_up(table, x) for table, x in pairs]
        return keras.tree.pack_sequence_as(inputs, found)

    return vectors, look_up


def check_real(model: Model) -> None:
    """Raise ValueError if the model looks its inputs up in a table: no real numbers."""
    dtypes = [symbol.dtype for symbol in getattr(model, "inputs", None) or ()]
    integers = [dtype for dtype in dtypes if dtype in ("int32", "int64")]
    if integers and any(
        isinstance(layer, keras.layers.Embedding) for layer in layers_reversed(model)
    ):
        raise ValueError(
            "`model` must have inputs of real numbers for this method; received "
            f"{integers[0]} for an Embedding. `ke.explain` explains the vectors that "
            "it looks up, unless it masks zeros, or another layer reads its tokens."
        )


def _of_vectors(graph: Graph) -> Graph:
    """Return the graph behind its embeddings of inputs; itself if there are none."""
    flat = inlined(graph)
    new: dict[int, Any] = {}
    for symbol, table in zip(flatten(flat.inputs), _tables(flat), strict=True):
        if table is not None:
            reads = [step.outputs for step in _readers(flat, symbol)]
            new |= dict.fromkeys(map(id, [symbol, *reads]), _like(reads[0], symbol))
    if not new:
        return graph
    steps = [
        step.reading(new)
        for step in flat.steps
        if id(flatten(step.outputs)[0]) not in new
    ]
    return Graph(
        substituted(flat.inputs, new), tuple(steps), substituted(flat.outputs, new)
    )


def _like(vectors: Any, symbol: Any) -> keras.KerasTensor:
    return keras.KerasTensor(vectors.shape, dtype=vectors.dtype, name=symbol.name)


def _tables(graph: Graph) -> list[keras.layers.Embedding | None]:
    """Return for each input the embedding that alone reads it, or None."""
    return [_table(_readers(graph, symbol)) for symbol in flatten(graph.inputs)]


def _table(readers: list[Step]) -> keras.layers.Embedding | None:
    operations = {id(step.operation): step.operation for step in readers}
    if len(operations) != 1:
        return None
    (layer,) = operations.values()
    fits = isinstance(layer, keras.layers.Embedding) and not layer.mask_zero
    return layer if fits else None


def _readers(graph: Graph, symbol: Any) -> list[Step]:
    return [step for step in graph.steps if any(x is symbol for x in step.reads)]


def _looked_up(table: keras.layers.Embedding, tokens: Tensor) -> Tensor:
    tokens = ops.cast(tokens, "int32")
    low, high = int(ops.min(tokens)), int(ops.max(tokens))
    if low < 0 or high >= table.input_dim:
        raise ValueError(
            f"`x` must be tokens from 0 to below the {table.input_dim} of "
            f"{table.name!r}; received {low if low < 0 else high}."
        )
    return ops.stop_gradient(table(tokens))
