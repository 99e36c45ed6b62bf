"""Replace token inputs with the vectors that an embedding looks up for them.

Tokens are integers and have no derivatives, but their embedding vectors do.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten
from keras_explainable.inspection.hidden_tokens import (
    HiddenVectors,
    finds_zeros,
    steps_of_mask,
    takes_carried_mask,
    without_hidden,
)
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.network.graph import Graph, Step, symbol_like
from keras_explainable.network.ignored_fractions import example_shape
from keras_explainable.network.input_kinds import only_chooses
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.network.layers_of_model import has_layer, held_layers
from keras_explainable.network.layers_of_user import is_of_user
from keras_explainable.network.trace_model import inlined, trace
from keras_explainable.types import Model, Tensor


def embedded_model(
    model: Model, own_layers: bool = True
) -> tuple[Model, Callable[[Nested], Nested]]:
    """Return a model of embedding vectors, and a function that looks the vectors up.

    Each input that only an ``Embedding`` layer reads, or a layer of the user's that
    has one inside, becomes an input of vectors (B, T, D): what the layer returns.
    Other inputs stay as they are. If the model compares the tokens with 0, as
    ``mask_zero=True`` does, vectors of token 0 are zeros, which the new model hides.
    ``ke.explain`` calls this function, so
    that derivatives, noise and integration paths are those of the vectors.

    Args:
        model: Keras model, which is only read. A model is returned as it is if it has
            no such inputs, or if its layers are not known.
        own_layers: Whether layers of the user's count.

    Returns:
        The new model, which shares ``model``'s layers, and the function from inputs of
        ``model`` to inputs of the new model. The function raises ValueError for tokens
        outside the vocabulary.

    Example::

        embedded, look_up = ke.inspection.embedded_model(model)
        logits, maps = ke.methods.gradient.gradients(embedded, look_up(tokens))
    """
    graph: Any = trace(model) if _has_embeddings(model) else None
    if graph is None:  # Tracing takes time.
        return model, lambda inputs: inputs
    embeddings = _input_embeddings(inlined(graph))
    own = [k for k, x in enumerate(embeddings) if x and not _is_embedding(x.layer)]
    values = tuple(k for k in own if not (own_layers and only_chooses(model, k)))
    embedded = rewritten_model(model, _without_embeddings, values)
    if embedded is model:
        return model, lambda inputs: inputs
    for k in values:
        embeddings[k] = None

    def look_up(inputs: Nested) -> Nested:
        inputs = as_inputs(model, inputs)
        pairs = zip(embeddings, flatten(inputs), strict=True)
        vectors = [x if each is None else each.look_up(x) for each, x in pairs]
        return keras.tree.pack_sequence_as(inputs, vectors)

    return embedded, look_up


def _has_embeddings(model: Model) -> bool:
    embedding = keras.layers.Embedding
    return isinstance(model, keras.Model) and has_layer(model, embedding)


def check_real_inputs(model: Model) -> None:
    """Raise ValueError if all inputs of a model with an embedding are integers."""
    dtypes = [symbol.dtype for symbol in getattr(model, "inputs", None) or ()]
    integers = [dtype for dtype in dtypes if dtype in ("int32", "int64")]
    whole = bool(integers) and len(integers) == len(dtypes)
    if whole and _has_embeddings(model):
        raise ValueError(
            "`model` must have inputs of real numbers for this method; received "
            f"{integers[0]} for an Embedding. `ke.explain` explains the embedding "
            "vectors instead if a single layer reads all the tokens of an input."
        )


def _without_embeddings(graph: Graph, values: tuple[int, ...]) -> Graph:
    """Return the graph with vectors as inputs, or ``graph`` if it embeds no input.

    Args:
        graph: Any graph.
        values: Positions of inputs that stay.
    """
    flat = inlined(graph)
    inputs, embeddings = flatten(flat.inputs), _input_embeddings(flat)
    found = {
        id(symbol): each
        for k, (symbol, each) in enumerate(zip(inputs, embeddings, strict=True))
        if each is not None and k not in values
    }
    if not found:
        return graph
    new = {
        id(symbol): symbol_like(found[id(symbol)].vectors, symbol.name)
        for symbol in inputs
        if id(symbol) in found
    }
    # CAMs find the vectors by the name of the embedding, which may be called twice.
    readers = {id(each.layer): each.reader() for each in found.values()}
    steps = list[Step]()
    for step in flat.steps:
        tokens = next((id(x) for x in step.reads if id(x) in new), None)
        if tokens is None:
            steps.append(step)
        elif finds_zeros(step):
            steps += steps_of_mask(step, new[tokens])
        else:
            reader = readers[id(step.operation)]
            steps.append(replace(step, operation=reader).reading(new))
    return flat.rewritten(steps, new)


class _Embedded(NamedTuple):
    """The only layer that reads tokens.

    Attributes:
        layer: An embedding, or a layer of the user's with one inside.
        vectors: Symbol of what it returns.
        hides: Whether the model compares the tokens with 0, to hide them.
    """

    layer: keras.Layer
    vectors: Any
    hides: bool

    def with_carried_mask(self, graph: Graph) -> "_Embedded":
        """Return the same that also hides tokens if layers find the vectors' mask."""
        masks = _is_embedding(self.layer) and self.layer.mask_zero
        hides = self.hides or (masks and takes_carried_mask(graph, self.vectors))
        return self._replace(hides=bool(hides))

    def reader(self) -> keras.Layer:
        """Return the layer that reads vectors in place of tokens."""
        if self.hides:
            return HiddenVectors(self.layer)
        return keras.layers.Identity(name=self.layer.name)

    def look_up(self, tokens: Tensor) -> Tensor:
        """Return the vectors of tokens; zeros for those that are hidden."""
        vectors = _look_up(self.layer, tokens)
        return without_hidden(vectors, tokens) if self.hides else vectors


def _input_embeddings(graph: Graph) -> list[_Embedded | None]:
    """Return for each input the embedding that is its only reader, or None."""
    found = (_only_embedding(_readers(graph, each)) for each in flatten(graph.inputs))
    return [each and each.with_carried_mask(graph) for each in found]


def _only_embedding(readers: list[Step]) -> _Embedded | None:
    masks = [step for step in readers if finds_zeros(step)]
    others = [step for step in readers if not finds_zeros(step)]
    operations = {id(step.operation): step.operation for step in others}
    if len(operations) != 1 or not all(map(_gives_vectors, others)):
        return None
    (layer,) = operations.values()
    known = _is_embedding(layer) and not is_of_user(layer)
    if not known and (masks or not _embeds_each_token(layer, others[0].reads[0])):
        return None
    return _Embedded(layer, others[0].outputs, bool(masks))


def _embeds_each_token(layer: keras.Layer, symbol: Any) -> bool:
    """Return whether a layer of the user's looks up vectors, and makes no mask."""
    inside = [layer, *(held_layers(layer) if is_of_user(layer) else ())]
    if not any(map(_is_embedding, inside)):
        return False
    tokens = np.zeros(example_shape(symbol), "int32")
    try:
        with backend.eagerly(), backend.state_kept():
            masks = any(_masks(each, tokens) for each in inside)
            return not masks and not _mixes_tokens(layer, tokens)
    except Exception:  # A layer of the user's may raise anything.
        return False


def _masks(layer: keras.Layer, tokens: np.ndarray) -> bool:
    own = type(layer).compute_mask is not keras.Layer.compute_mask
    return own and layer.compute_mask(ops.convert_to_tensor(tokens)) is not None


def _mixes_tokens(layer: keras.Layer, tokens: np.ndarray) -> bool:
    """Return whether a vector depends on other tokens, as those of an encoder do."""
    middle = tokens.shape[1] // 2
    other = tokens.copy()
    other[:, middle] = 1
    both = (layer(ops.convert_to_tensor(x), training=False) for x in (tokens, other))
    one, changed = map(ops.convert_to_numpy, both)
    beside = np.arange(tokens.shape[1]) != middle
    return bool((one[:, beside] != changed[:, beside]).any())


def _is_embedding(layer: Any) -> bool:
    return isinstance(layer, keras.layers.Embedding)


def _gives_vectors(step: Step) -> bool:
    """Return whether a step reads tokens (B, ...) and returns vectors (B, ..., D)."""
    tokens, vectors = step.reads, flatten(step.outputs)
    if len(tokens) != 1 or len(vectors) != 1:
        return False
    return tuple(vectors[0].shape[:-1]) == tuple(tokens[0].shape)


def _readers(graph: Graph, symbol: Any) -> list[Step]:
    return [step for step in graph.steps if any(x is symbol for x in step.reads)]


def _look_up(layer: keras.Layer, tokens: Tensor) -> Tensor:
    if not _is_embedding(layer):  # Which of its tables are for tokens is not known.
        return ops.stop_gradient(layer(tokens, training=False))
    tokens = ops.cast(tokens, "int32")
    low, high = int(ops.min(tokens)), int(ops.max(tokens))
    if low < 0 or high >= layer.input_dim:
        raise ValueError(
            f"`x` must be tokens from 0 to {layer.input_dim - 1}, the vocabulary of "
            f"{layer.name!r}; received {low if low < 0 else high}."
        )
    return ops.stop_gradient(layer(tokens, training=False))
