"""Rules for the scores of the layers ``Attention`` and ``AdditiveAttention``.

Their probabilities are one step, whose scores are computed again for its derivatives.
"""

from functools import partial
from typing import Any

from keras import ops

from keras_explainable.network.attention_weights import AttentionWeights
from keras_explainable.network.fixed_factors import Function, fixed_slope, shared
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.network.rules_of_two import with_values
from keras_explainable.types import Tensor


def shared_scores(operation: Any) -> Function | None:
    """Return probabilities whose scores share derivatives; None for other operations.

    A product of queries and keys passes half of them to each, and tanh its slope from
    the origin.
    """
    if not isinstance(operation, AttentionWeights):
        return None
    if keras_name(operation.layer) not in ("Attention", "AdditiveAttention"):
        return None
    return partial(_probabilities, operation)


def _probabilities(weights: AttentionWeights, called: Any, /, *read: Tensor) -> Tensor:
    """A softmax p of scores s changes by p (ds - sum_k p_k ds_k)."""
    value = called(*read)
    scores, fixed = _scores(weights, read), ops.stop_gradient(value)
    centred = scores - ops.sum(fixed * scores, axis=-1, keepdims=True)
    return with_values(value, fixed * centred)


def _scores(weights: AttentionWeights, read: tuple[Tensor, ...]) -> Tensor:
    """Return scores (B, T, S) before a mask hides some."""
    layer, (queries, keys) = weights.layer, weights.queries_and_keys(*read)
    additive, scale = keras_name(layer) == "AdditiveAttention", layer.scale
    scale = 1.0 if scale is None else ops.cast(scale, queries.dtype)
    if not additive and layer.score_mode == "dot":
        return scale * shared(2, _product, queries, keys)
    sums = queries[:, :, None] + keys[:, None]
    if additive:
        return ops.sum(scale * fixed_slope(ops.tanh, sums), axis=-1)
    weight = ops.cast(layer.concat_score_weight, queries.dtype)
    return weight * ops.sum(fixed_slope(ops.tanh, scale * sums), axis=-1)


def _product(queries: Tensor, keys: Tensor) -> Tensor:
    return ops.matmul(queries, ops.swapaxes(keys, 1, 2))
