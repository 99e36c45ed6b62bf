"""The grid of the tokens that attention takes as keys, remembered in the graph.

It is found before the model is compiled: layers of the user's may have to be run.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from keras import layers

from keras_explainable.common.structures import flatten
from keras_explainable.inspection.token_grid import TokenGrid, found_grid
from keras_explainable.network.attention_products import Attention
from keras_explainable.network.follow_positions import positions_of
from keras_explainable.network.graph import Graph, Step, symbol_like
from keras_explainable.network.positions import Positions
from keras_explainable.types import Tensor


class PlacedKeys(layers.Layer):
    """Probabilities of keys on a grid, which are returned as they are."""

    def __init__(self, tokens: TokenGrid | None):
        super().__init__(autocast=False, trainable=False)
        self.tokens, self.built = tokens, True
        self.supports_masking = True  # Else, Keras warns of a layer of ours.

    def call(self, x: Tensor) -> Tensor:
        """Return the probabilities."""
        return x


def with_placed_keys(graph: Graph, attention: Attention) -> Graph:
    """Return the graph in which the probabilities go through ``PlacedKeys``."""
    symbol = attention.symbol
    placed = symbol_like(symbol, symbol.name)
    layer = PlacedKeys(_grid(graph, attention))
    steps = list[Step]()
    for step in graph.steps:
        steps.append(step.reading({id(symbol): placed}))
        if step.outputs is symbol:
            steps.append(Step(layer, (symbol,), {}, placed))
    return graph.rewritten(steps, {id(symbol): placed})


def _grid(graph: Graph, attention: Attention) -> TokenGrid | None:
    """Return the grid of the tokens that the values of attention are computed of."""
    positions = positions_of(graph)
    for symbol in _before(graph, attention.values):
        known = positions.get(id(symbol))
        if len(symbol.shape) == attention.axes + 2 > 3 and known is not None:
            return TokenGrid(1, symbol.shape[1:-1]) if _is_image(known) else None
        if len(symbol.shape) == 3 and (known is None or len(known.numbers) == 1):
            found = None if known is None else found_grid(known)
            return replace(found, axis=1) if found else _of_sequence(graph, symbol)
    return None


def _is_image(known: Positions) -> bool:
    return known.channel_axis == known.numbers.ndim - 1


def _of_sequence(graph: Graph, tokens: Any) -> TokenGrid | None:
    """Return the grid of the tokens of a text (B, T), if that is the only input."""
    symbol, *others = flatten(graph.inputs)
    embeds = [x for x in graph.steps if isinstance(x.operation, layers.Embedding)]
    is_text = any(step.reads[0] is symbol for step in embeds)
    if others or not is_text or None in (*symbol.shape[1:], tokens.shape[1]):
        return None
    return (
        TokenGrid(1, symbol.shape[1:]) if tokens.shape[1] == symbol.shape[1] else None
    )


def _before(graph: Graph, symbol: Any) -> Iterator[Any]:
    """Yield the tensors that a tensor depends on, the nearest first."""
    queue, seen = [symbol], {id(symbol)}
    while queue:
        producer = graph.producer(queue.pop(0))
        for read in producer.reads if producer else ():
            if id(read) not in seen:
                seen.add(id(read))
                queue.append(read)
                yield read


def grid_of_placed(graph: Graph, attention: Attention) -> TokenGrid | None:
    """Return the grid that was found for the keys of attention; None if none was."""
    step = graph.producer(attention.symbol)
    layer = None if step is None else step.operation
    return layer.tokens if isinstance(layer, PlacedKeys) else None
