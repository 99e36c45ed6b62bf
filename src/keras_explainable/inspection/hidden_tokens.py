"""Tokens 0 that a mask hides: their vectors are zeros, by which the mask is found."""

from typing import Any

import keras
from keras import layers, ops

from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.network.graph import Graph, Step, ids
from keras_explainable.network.mask_passing import passes_mask
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.network.operations_of_call import graph_of_operations
from keras_explainable.types import Tensor

#: A number that half precision tells from 0, too.
_ALMOST_ZERO = 1e-7


def finds_zeros(step: Step) -> bool:
    """Return whether a step compares tokens with 0, as ``mask_zero=True`` does."""
    return keras_name(step.operation) == "NotEqual" and step.args[1:] == (0,)


def takes_carried_mask(graph: Graph, vectors: keras.KerasTensor) -> bool:
    """Return whether a layer finds a mask that tensors carry from vectors to it.

    Other layers are given masks as arguments.
    """
    carrying = {id(vectors)}
    for step in graph.steps:
        if carrying & ids(step.reads):
            if _looks_for_mask(step):
                return True
            carrying |= ids(step.outputs) if passes_mask(step) else set()
    return False


def _looks_for_mask(step: Step) -> bool:
    """Return whether a layer takes a mask, and is given none."""
    layer = step.operation
    if not isinstance(layer, layers.Layer) or step.kwargs.get("mask") is not None:
        return False
    takes = (accepts_parameter(layer.call, name) for name in ("mask", "query_mask"))
    return any(takes)


def steps_of_mask(step: Step, vectors: keras.KerasTensor) -> tuple[Step, ...]:
    """Return the steps from vectors (B, T, D) to the mask (B, T) that ``step`` writes.

    Args:
        step: Step that finds zeros.
        vectors: Input in place of the tokens.
    """

    def mask() -> keras.KerasTensor:
        return ops.any(ops.not_equal(vectors, 0), axis=-1)

    graph = graph_of_operations((vectors,), None, mask)
    assert graph is not None
    names = {id(graph.outputs): step.outputs}
    return tuple(each.renamed(names) for each in graph.steps)


def without_hidden(vectors: Tensor, tokens: Tensor) -> Tensor:
    """Return vectors (B, T, D) of tokens (B, T), with zeros for those of token 0.

    Zeros of other tokens, as of words that are not in the table, become almost 0.
    """
    is_zero = ops.all(ops.equal(vectors, 0), axis=-1, keepdims=True)
    shown = ops.where(is_zero, ops.cast(_ALMOST_ZERO, vectors.dtype), vectors)
    return ops.where(ops.equal(tokens, 0)[..., None], 0, shown)


class HiddenVectors(layers.Masking):
    """Hides vectors of zeros, and returns that of token 0 in their place.

    Layers without masks read it. Other vectors stay as they are.
    """

    def __init__(self, embedding: layers.Embedding):
        """Args: the layer that looks up the vectors."""
        # That of `Masking` would allow no layer inside.
        keras.Layer.__init__(self, name=embedding.name, dtype=embedding.dtype_policy)
        self.embedding, self.mask_value = embedding, 0
        self.supports_masking = self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Return the vectors (B, T, D) that the embedding returns."""
        shown = ops.any(ops.not_equal(inputs, 0), axis=-1, keepdims=True)
        hidden = self.embedding(ops.zeros((1,) * (len(inputs.shape) - 1), "int32"))
        return ops.where(shown, inputs, ops.cast(hidden, inputs.dtype))

    def compute_mask(self, inputs: Tensor, mask: Any = None) -> Tensor | None:
        """Return the mask that the embedding makes; None if it makes none."""
        makes = self.embedding.mask_zero
        return super().compute_mask(inputs, mask) if makes else None
