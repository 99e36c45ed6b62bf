"""Steps that put the tokens of a layer on their grid, and back into their row.

A network with these steps computes the same outputs. The values on the grid lie on the
way to them, so that they can be exposed like those of a layer with spatial axes.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.common.structures import flatten
from keras_explainable.inspection.token_grid import (
    NOTHING_GIVEN,
    GivenGrid,
    TokenGrid,
    grid_of,
)
from keras_explainable.network.follow_positions import positions_of
from keras_explainable.network.graph import Graph, Step, ids
from keras_explainable.types import Tensor

#: How much more one side of an image may be reduced than the other, by cut edges.
_ALIKE = 1.5


def tokens_on_grid(x: Tensor, tokens: TokenGrid) -> Tensor:
    """Return tokens (B, T, C) with a place in the image on their grid, (B, h, w, C)."""
    x = ops.moveaxis(x, tokens.axis, 1)
    size, before = int(np.prod(tokens.grid)), tokens.before
    x = x[:, before : before + size]
    return ops.reshape(x, (-1, *tokens.grid, x.shape[-1]))


class TokensToGrid(keras.layers.Layer):
    """Tokens (B, T, C) with a place in the image on their grid, (B, h, w, C)."""

    def __init__(self, tokens: TokenGrid, name: str):
        super().__init__(autocast=False, trainable=False, name=name)
        self.tokens, self.built = tokens, True

    def call(self, x: Tensor) -> Tensor:
        """Return the tokens on their grid."""
        return tokens_on_grid(x, self.tokens)


class GridToTokens(keras.layers.Layer):
    """Tokens (B, T, C) in which those of the grid have the values (B, h, w, C)."""

    def __init__(self, tokens: TokenGrid):
        super().__init__(autocast=False, trainable=False)
        self.tokens, self.built = tokens, True

    def call(self, x: Tensor, on_grid: Tensor) -> Tensor:
        """Return the tokens in their row."""
        x = ops.moveaxis(x, self.tokens.axis, 1)
        size, before = int(np.prod(self.tokens.grid)), self.tokens.before
        inner = ops.reshape(on_grid, (-1, size, x.shape[-1]))
        parts = [x[:, :before], inner, x[:, before + size :]]
        return ops.moveaxis(ops.concatenate(parts, axis=1), 1, self.tokens.axis)


def with_tokens_on_grids(
    graph: Graph, given: GivenGrid, unplaced: Sequence[Any] = ()
) -> Graph:
    """Return the graph whose exposed tokens, after the first output, are on a grid.

    Args:
        graph: Inlined graph with outputs ``[first, *exposed]``.
        given: What the user says of the tokens.
        unplaced: Exposed tensors that stay as they are.

    Raises:
        ValueError: If an exposed tensor has no tokens, or their grid is not known.
    """
    exposed = flatten(graph.outputs)[1:]
    rank = max(len(x.shape) for x in flatten(graph.inputs))
    kept = ids(list(unplaced))
    # Dense layers have maps without axes, which stay as they are.
    tokens = [x for x in exposed if 2 < len(x.shape) < rank and id(x) not in kept]
    tokens = [x for x in tokens if not _is_frame(graph, x)]
    if given != NOTHING_GIVEN:
        tokens = exposed
    if not tokens:
        return graph
    positions = positions_of(graph)
    for symbol in {id(x): x for x in tokens}.values():
        producer = graph.producer(symbol)
        name = producer.operation.name if producer else symbol.name
        grid = grid_of(symbol.shape, positions.get(id(symbol)), given, name)
        graph = _with_grid(graph, symbol, grid, name)
    return graph


def _is_frame(graph: Graph, symbol: Any) -> bool:
    """Return whether a tensor is an image made of a video: its maps have no time."""
    spatial = tuple(symbol.shape[1:-1])
    videos = [x for x in flatten(graph.inputs) if len(x.shape) == len(symbol.shape) + 1]
    if len(spatial) < 2 or len(videos) != 1:
        return False
    sizes = tuple(videos[0].shape[2:-1])
    if None in (*spatial, *sizes):
        return spatial == sizes
    scales = [size / own for size, own in zip(sizes, spatial, strict=True)]
    return max(scales) < _ALIKE * min(scales)


def _with_grid(graph: Graph, symbol: Any, tokens: TokenGrid, name: str) -> Graph:
    """Return the graph in which a tensor goes through its grid, which is exposed."""
    first, *exposed = flatten(graph.outputs)
    channels = symbol.shape[3 - tokens.axis]
    shape = (symbol.shape[0], *tokens.grid, channels)
    on_grid = keras.KerasTensor(shape, symbol.dtype)
    back = keras.KerasTensor(symbol.shape, symbol.dtype)
    new = (
        Step(TokensToGrid(tokens, f"{name}_on_grid"), (symbol,), {}, on_grid),
        Step(GridToTokens(tokens), (symbol, on_grid), {}, back),
    )
    written = [id(symbol) in ids(step.outputs) for step in graph.steps]
    after = written.index(True) + 1 if True in written else 0
    later = [step.reading({id(symbol): back}) for step in graph.steps[after:]]
    outputs = [on_grid if x is symbol else x for x in exposed]
    return replace(
        graph,
        steps=(*graph.steps[:after], *new, *later),
        outputs=[back if first is symbol else first, *outputs],
    )
