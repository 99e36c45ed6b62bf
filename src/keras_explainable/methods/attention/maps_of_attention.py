"""Maps of the tokens that a unit reads, through the attention of all layers."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import row_count
from keras_explainable.inspection.exposed_attention import (
    expose_attention,
    exposes_attention,
)
from keras_explainable.inspection.taps import with_taps
from keras_explainable.inspection.token_grid import GivenGrid
from keras_explainable.inspection.token_steps import tokens_on_grid
from keras_explainable.methods.attention.attention_chain import (
    attention_chain,
    check_shapes,
    grid_of_keys,
)
from keras_explainable.network import output_units
from keras_explainable.network.attention_products import Attention, as_heads
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.network.model_inputs import check_single_input
from keras_explainable.types import Model, Tensor

#: Function of the probabilities of all layers, and of their derivatives by a unit, all
#: (B, heads, queries, keys). It returns what each query of the last layer takes of each
#: key of the first one, (B, queries, keys).
Relevance = Callable[[list[Tensor], list[Tensor]], Tensor]


def with_attention(model: Model, params: dict[str, Any]) -> Model:
    """Return the model with its attention exposed; the model itself if it is."""
    if exposes_attention(model):
        return model
    return expose_attention(model, params.get("layers"))


def maps_of_attention(
    relevance: Relevance,
    model: Model,
    inputs: Any,
    indices: Any,
    given: GivenGrid,
    *,
    of_units: bool = True,
) -> tuple[Tensor, Tensor]:
    """Return the logits (B, K) and maps (B, h, w, K) of the tokens that units read.

    They are the mean of the rows of ``relevance`` of those tokens on which the unit
    depends after the last attention: of the class token alone, if only it is read.

    Args:
        relevance: What queries take of keys, over all layers.
        model: Model from ``with_attention``.
        inputs: Inputs (B, ...).
        indices: Units to explain (B, K), or (B,); None for all.
        given: What the user says of the tokens.
        of_units: Whether it depends on the unit. Else, derivatives by the last layer
            only are computed, which say what a unit reads.
    """
    inputs = as_inputs(model, inputs)
    check_single_input(model, inputs)
    chain = attention_chain(model)
    run, zeros = with_taps(model, inputs)
    held = [] if of_units else zeros[:-1]
    outputs, pullback, values = backend.vjp(
        lambda taps: run(inputs, [*held, *taps]), zeros[len(held) :]
    )
    heads = _heads(values, chain, row_count(inputs))
    check_shapes(heads, chain)
    grid = grid_of_keys(model, heads[0].shape[-1], given)
    common = None if of_units else relevance(heads, [])

    def one_map(one: Tensor) -> Tensor:
        slopes = _heads(pullback(one), chain[len(held) :], row_count(inputs))
        found = relevance(heads, slopes) if common is None else common
        return tokens_on_grid(_read_rows(found, slopes[-1])[..., None], grid)[..., 0]

    return output_units.maps_of_units(outputs, indices, one_map)


def _heads(values: list[Tensor], chain: list[Attention], rows: int) -> list[Tensor]:
    pairs = zip(values, chain, strict=True)
    return [as_heads(value, each, rows) for value, each in pairs]


def _read_rows(relevance: Tensor, slopes: Tensor) -> Tensor:
    """Return the mean (B, keys) of the rows of queries that change the unit.

    Args:
        relevance: What queries take of keys (B, queries, keys).
        slopes: Derivatives by the last probabilities (B, heads, queries, keys).
    """
    # One axis after the other: Keras 3.14 takes no two of them on PyTorch.
    read = ops.any(ops.any(slopes != 0, axis=3), axis=1)
    read = ops.logical_or(read, ops.logical_not(ops.any(read, axis=1, keepdims=True)))
    weights = ops.cast(read, relevance.dtype)[:, :, None]
    return ops.sum(weights * relevance, axis=1) / ops.sum(weights, axis=1)
