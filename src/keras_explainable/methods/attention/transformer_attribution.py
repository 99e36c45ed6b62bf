"""The relevance of tokens that attention passes on, weighted by gradients."""

from keras import ops

from keras_explainable.execution.model_preparation import prepares_model
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.exposed_attention import Names
from keras_explainable.inspection.token_grid import GivenGrid
from keras_explainable.methods.attention.maps_of_attention import (
    maps_of_attention,
    with_attention,
)
from keras_explainable.types import Model, Tensor


@along_axes
@prepares_model(with_attention)
def transformer_attribution(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    layers: Names = None,
    grid: tuple[int, ...] | None = None,
    skip_tokens: int | tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the logits and the relevance of tokens, by the rule for self-attention.

        maps = mean_q (R_L)_q,   R_l = R_{l-1} + mean_h relu(P_l df/dP_l) R_{l-1}

    R_0 is the identity; P_l are the probabilities of layer l, for each head h. This is
    the rule of the generic method for self-attention (equations 5 and 6 of the paper),
    which needs no layer-wise relevance propagation, not the authors' earlier method of
    the same year. The mean is over the queries that the unit f reads after the last
    layer, such as the class token.

    Arguments, results and errors are those of ``attention_rollout``. Maps are not
    negative and add up to no particular number.

    Reference: Chefer et al., 2021, https://arxiv.org/abs/2103.15679
    """
    return maps_of_attention(
        _relevance,
        with_attention(model, {"layers": layers}),
        inputs,
        indices,
        GivenGrid.of(grid, skip_tokens),
    )


def _relevance(heads: list[Tensor], slopes: list[Tensor]) -> Tensor:
    """Return the relevance (B, queries, keys) after all layers."""
    found = None
    for x, dx in zip(heads, slopes, strict=True):
        added = ops.mean(ops.relu(x * dx), axis=1)
        found = _added(found, added)
    return found


def _added(before: Tensor | None, layer: Tensor) -> Tensor:
    """Return the relevance after a layer, (B, queries, keys of the first layer)."""
    _, queries, keys = layer.shape
    passed_on = layer if before is None else ops.matmul(layer, before)
    if queries != keys:  # Pooled by attention, without a residual connection.
        return passed_on
    return passed_on + (ops.eye(keys, dtype=layer.dtype) if before is None else before)
