"""Attention rollout: the probabilities of all layers, multiplied."""

from functools import partial, reduce
from typing import Any, Literal

import numpy as np
from keras import ops

from keras_explainable.common import checks
from keras_explainable.execution.model_preparation import prepares_model
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.exposed_attention import Names
from keras_explainable.inspection.token_grid import GivenGrid
from keras_explainable.methods.attention.maps_of_attention import (
    Relevance,
    maps_of_attention,
    with_attention,
)
from keras_explainable.types import Model, Tensor

#: Ways to join the heads of a layer.
Fusion = Literal["mean", "max", "min"]
FUSIONS = {"max": ops.max, "mean": ops.mean, "min": ops.min}


@along_axes
@prepares_model(with_attention)
def attention_rollout(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    head_fusion: Fusion = "mean",
    discard_ratio: float = 0.0,
    residual: float = 0.5,
    layers: Names = None,
    grid: tuple[int, ...] | None = None,
    skip_tokens: int | tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the logits and maps of attention rollout.

        maps = mean_q (A_L ... A_2 A_1)_q,   A_l = rows((1 - r) P_l + r I)

    P_l are the probabilities of layer l (queries, keys), joined over its heads; r is
    the part of the residual connection; ``rows`` divides each row by its sum. The mean
    is over the queries that the unit reads after the last layer: it is the row of the
    class token, if only that is read, and of all tokens before a global average.

    Maps do not depend on the unit, unless units read different tokens.

    Args:
        model: Functional or Sequential model with attention; see
            ``ke.attention_maps``.
        inputs: Images (B, H, W, C), or embedded tokens (B, T, C).
        indices: Units to explain (B, K), or (B,); None explains every unit.
        head_fusion: "mean", "max" or "min" over the heads.
        discard_ratio: The part of each P_l that is set to 0, its lowest values; at
            least 0 and below 1.
        residual: r, at least 0 and at most 1.
        layers: Names of the layers that count, in the model's order, as the keys of
            ``ke.attention_maps``. None takes all on which the output depends.
        grid: The sizes (h, w) of the grid of the tokens; None if it shall be found, as
            ``ke.inspection.token_grid`` does.
        skip_tokens: Number of tokens before those of the grid, such as class tokens; or
            a pair of those before and after. They are not in the map.

    Returns:
        ``logits`` (B, K), and ``maps`` (B, h, w, K) of the grid. A map adds up to 1,
        with the tokens that have no place in it.

    Raises:
        ValueError: If the model has no attention, or none that one layer passes on to
            the next as (B, heads, queries, keys); or if the grid is not known or does
            not fit.

    Reference: Abnar & Zuidema, 2020, https://arxiv.org/abs/2005.00928
    """
    return maps_of_attention(
        _relevance(head_fusion, discard_ratio, residual),
        with_attention(model, {"layers": layers}),
        inputs,
        indices,
        GivenGrid.of(grid, skip_tokens),
        of_units=False,
    )


@along_axes
@prepares_model(with_attention)
def gradient_attention_rollout(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    head_fusion: Fusion = "mean",
    discard_ratio: float = 0.0,
    residual: float = 0.5,
    layers: Names = None,
    grid: tuple[int, ...] | None = None,
    skip_tokens: int | tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the logits and maps of attention rollout, weighted by gradients.

        maps = mean_q (A_L ... A_2 A_1)_q,   A_l = rows((1 - r) P_l relu(df/dP_l) + r I)

    Each probability of each head is multiplied by its derivative, where that is
    positive, before the heads are joined. Maps are those of the unit f.

    Arguments, results and errors are those of ``attention_rollout``.

    Reference: Gildenblat, 2020, https://github.com/jacobgil/vit-explain
    """
    return maps_of_attention(
        _relevance(head_fusion, discard_ratio, residual),
        with_attention(model, {"layers": layers}),
        inputs,
        indices,
        GivenGrid.of(grid, skip_tokens),
    )


def _relevance(head_fusion: str, discard_ratio: float, residual: float) -> Relevance:
    """Return the rollout with checked parameters."""
    checks.one_of("head_fusion", head_fusion, tuple(FUSIONS))
    checks.number("discard_ratio", discard_ratio, 0)
    checks.number("residual", residual, 0)
    if discard_ratio >= 1:
        raise ValueError(f"`discard_ratio` must be below 1; received {discard_ratio}.")
    if residual > 1:
        raise ValueError(f"`residual` must be at most 1; received {residual}.")
    return partial(_rollout, FUSIONS[head_fusion], discard_ratio, residual)


def _rollout(
    fusion: Any,
    discard_ratio: float,
    residual: float,
    heads: list[Tensor],
    slopes: list[Tensor],
) -> Tensor:
    """Return the product (B, queries, keys) of the attention of all layers.

    Without ``slopes``, the probabilities are not weighted.
    """
    if slopes:
        heads = [x * ops.relu(dx) for x, dx in zip(heads, slopes, strict=True)]
    layers = (_without_lowest(fusion(x, axis=1), discard_ratio) for x in heads)
    each = (_with_residual(x, residual) for x in layers)
    return reduce(lambda before, x: ops.matmul(x, before), each)


def _without_lowest(layer: Tensor, ratio: float) -> Tensor:
    """Return attention (B, queries, keys), of which the lowest part is set to 0."""
    _, queries, keys = layer.shape
    if (count := int(ratio * queries * keys)) == 0:
        return layer
    flat = ops.reshape(layer, (-1, queries * keys))
    ranks = ops.argsort(ops.argsort(flat, axis=-1), axis=-1)
    return ops.reshape(ops.where(ranks < count, 0, flat), (-1, queries, keys))


def _with_residual(layer: Tensor, residual: float) -> Tensor:
    """Return attention with the residual connection, if there is one, as rows of 1."""
    _, queries, keys = layer.shape
    if queries == keys:
        identity = ops.convert_to_tensor(np.eye(queries), layer.dtype)
        layer = (1 - residual) * layer + residual * identity
    total = ops.sum(layer, axis=-1, keepdims=True)
    return layer / ops.where(total == 0, 1, total)
