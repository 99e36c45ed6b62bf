"""Replace token inputs with the vectors that an embedding looks up for them.

Tokens are integers and have no derivatives, but their embedding vectors do.
"""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_explainable.common.structures import Nested, flatten
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.network.graph import Graph, Step, ids, symbol_like
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.network.layers_of_model import has_layer
from keras_explainable.network.trace_model import inlined, trace
from keras_explainable.types import Model, Tensor


def embedded_model(model: Model) -> tuple[Model, Callable[[Nested], Nested]]:
    """Return a model of embedding vectors, and a function that looks the vectors up.

    Each input that only an ``Embedding`` layer reads becomes an input of vectors
    (B, T, D); other inputs stay as they are. ``ke.explain`` calls this function, so
    that derivatives, noise and integration paths are those of the vectors.

    Args:
        model: Keras model, which is only read. A model is returned as it is if it has
            no such inputs, if its layers are not known, or if its embedding masks
            zeros, because vectors carry no mask.

    Returns:
        The new model, which shares ``model``'s layers, and the function from inputs of
        ``model`` to inputs of the new model. The function raises ValueError for tokens
        outside the vocabulary.

    Example::

        embedded, look_up = ke.inspection.embedded_model(model)
        logits, maps = ke.methods.gradient.gradients(embedded, look_up(tokens))
    """
    embedded = rewritten_model(model, _without_embeddings)
    if embedded is model:
        return model, lambda inputs: inputs
    graph: Any = trace(model)
    embeddings = _input_embeddings(inlined(graph))

    def look_up(inputs: Nested) -> Nested:
        inputs = as_inputs(model, inputs)
        pairs = zip(embeddings, flatten(inputs), strict=True)
        vectors = [x if layer is None else _look_up(layer, x) for layer, x in pairs]
        return keras.tree.pack_sequence_as(inputs, vectors)

    return embedded, look_up


def check_real_inputs(model: Model) -> None:
    """Raise ValueError if all inputs of a model with an embedding are integers."""
    dtypes = [symbol.dtype for symbol in getattr(model, "inputs", None) or ()]
    integers = [dtype for dtype in dtypes if dtype in ("int32", "int64")]
    whole = bool(integers) and len(integers) == len(dtypes)
    if whole and has_layer(model, keras.layers.Embedding):
        raise ValueError(
            "`model` must have inputs of real numbers for this method; received "
            f"{integers[0]} for an Embedding. `ke.explain` explains the embedding "
            "vectors instead, unless the layer masks zeros or is not the only one that "
            "reads the tokens."
        )


def _without_embeddings(graph: Graph) -> Graph:
    """Return the graph with vectors as inputs, or ``graph`` if it embeds no input."""
    flat = inlined(graph)
    new: dict[int, Any] = {}
    inputs, embeddings = flatten(flat.inputs), _input_embeddings(flat)
    for symbol, layer in zip(inputs, embeddings, strict=True):
        if layer is not None:
            vectors = [step.outputs for step in _readers(flat, symbol)]
            vector_input = symbol_like(vectors[0], symbol.name)
            new |= dict.fromkeys(map(id, [symbol, *vectors]), vector_input)
    if not new:
        return graph
    kept = [step for step in flat.steps if ids(step.outputs).isdisjoint(new)]
    return flat.rewritten([step.reading(new) for step in kept], new)


def _input_embeddings(graph: Graph) -> list[keras.layers.Embedding | None]:
    """Return for each input the embedding that is its only reader, or None."""
    return [_only_embedding(_readers(graph, each)) for each in flatten(graph.inputs)]


def _only_embedding(readers: list[Step]) -> keras.layers.Embedding | None:
    operations = {id(step.operation): step.operation for step in readers}
    if len(operations) != 1:
        return None
    (layer,) = operations.values()
    suits = isinstance(layer, keras.layers.Embedding) and not layer.mask_zero
    return layer if suits else None


def _readers(graph: Graph, symbol: Any) -> list[Step]:
    return [step for step in graph.steps if any(x is symbol for x in step.reads)]


def _look_up(layer: keras.layers.Embedding, tokens: Tensor) -> Tensor:
    tokens = ops.cast(tokens, "int32")
    low, high = int(ops.min(tokens)), int(ops.max(tokens))
    if low < 0 or high >= layer.input_dim:
        raise ValueError(
            f"`x` must be tokens from 0 to {layer.input_dim - 1}, the vocabulary of "
            f"{layer.name!r}; received {low if low < 0 else high}."
        )
    return ops.stop_gradient(layer(tokens, training=False))
