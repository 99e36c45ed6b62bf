"""The attention of all layers, one after the other, and the tokens at its start."""

from itertools import pairwise

from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.inspection.exposed_attention import exposed_attention
from keras_explainable.inspection.exposed_layers import exposed_outputs
from keras_explainable.inspection.placed_keys import grid_of_placed
from keras_explainable.inspection.token_grid import (
    GivenGrid,
    TokenGrid,
    grid_of_tokens,
)
from keras_explainable.network.attention_products import Attention
from keras_explainable.types import Model, Tensor

_cache = ModelCache(capacity=1)


def attention_chain(model: Model) -> list[Attention]:
    """Return the attention that a model exposes, each of which takes the one before.

    Raises:
        ValueError: If some do not.
    """
    return _cache.get(model, "chain", lambda: _chain(model))


def _chain(model: Model) -> list[Attention]:
    found, (graph, _) = exposed_attention(model), exposed_outputs(model)
    for one, other in pairwise(found):
        if not graph.between(one.symbol, other.symbol):
            raise ValueError(
                "`layers` must name attention of which each takes the results of the "
                f"one before; received {[each.name for each in found]}, in which "
                f"{other.name!r} does not take those of {one.name!r}."
            )
    return found


def check_shapes(heads: list[Tensor], chain: list[Attention]) -> None:
    """Raise ValueError unless the keys of each layer are the queries of the one before.

    Args:
        heads: Probabilities of each layer, (B, heads, queries, keys).
        chain: The layers.
    """
    queries = heads[0].shape[-1]
    for each, layer in zip(heads, chain, strict=True):
        if len(each.shape) != 4 or each.shape[-1] != queries:
            raise ValueError(
                "`layers` must name attention of (B, heads, queries, keys) whose keys "
                f"are the {queries} tokens before it; received {layer.name!r} with "
                f"{tuple(each.shape)}. `ke.attention_maps` returns attention of any "
                "shape."
            )
        queries = each.shape[-2]


def grid_of_keys(model: Model, tokens: int, given: GivenGrid) -> TokenGrid:
    """Return the grid of the tokens that the first attention takes as keys.

    Args:
        model: Model that exposes attention.
        tokens: Number of these tokens.
        given: What the user says of them.

    Raises:
        ValueError: If the grid is not known or does not fit.
    """
    graph, _ = exposed_outputs(model)
    first = attention_chain(model)[0]
    found = grid_of_placed(graph, first)
    if found is not None and found.before + found.size + found.after != tokens:
        found = None
    return grid_of_tokens(tokens, 1, found, given, first.name)
