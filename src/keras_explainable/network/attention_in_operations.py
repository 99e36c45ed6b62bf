"""``ops.dot_product_attention`` as operations that form the probabilities."""

from typing import Any

from keras import ops

from keras_explainable.types import Tensor


def attention_in_operations(
    operation: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    scale: float | None = None,
) -> tuple[Tensor, dict[int, Any]]:
    """Return what ``ops.dot_product_attention`` does, which may form no scores."""
    repeats = query.shape[2] // key.shape[2]
    if repeats > 1:
        key, value = (ops.repeat(x, repeats, axis=2) for x in (key, value))
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    scores = ops.cast(ops.einsum("btnh,bsnh->bnts", query, key), "float32") * scale
    if (cap := operation.attn_logits_soft_cap) is not None:
        scores = ops.tanh(scores / cap) * cap
    scores = scores if bias is None else scores + bias
    if operation.is_causal:
        earlier = _earlier(scores)
        mask = earlier if mask is None else ops.logical_and(mask, earlier)
    if mask is not None:  # Queries without any key take all of them, as in Keras.
        scores = ops.where(mask, scores, -1e9)
    weights = ops.cast(ops.softmax(scores), value.dtype)
    return ops.einsum("bnts,bsnh->btnh", weights, value), {}


def _earlier(scores: Tensor) -> Tensor:
    """Return for each query (1, 1, T, S) the keys that are not after it."""
    ones = ops.ones_like(scores[:1, :1])
    return ops.cumsum(ones, axis=-2) >= ops.cumsum(ones, axis=-1)
