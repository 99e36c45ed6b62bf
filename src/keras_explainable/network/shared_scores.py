"""Rules for the scores of the layers ``Attention`` and ``AdditiveAttention``.

Their probabilities are one step, whose scores are computed again for its derivatives.
"""

from functools import partial
from typing import Any

import keras
from keras import layers, ops

from keras_explainable.network.attention_weights import AttentionWeights
from keras_explainable.network.fixed_factors import Function, fixed_slope, shared
from keras_explainable.network.rules_of_two import with_values
from keras_explainable.types import Tensor


def shared_scores(operation: Any) -> Function | None:
    """Return probabilities whose scores share derivatives; None for other operations.

    A product of queries and keys passes half of them to each, and tanh its slope from
    the origin.
    """
    if isinstance(operation, AttentionWeights) and _kind(operation.layer):
        return partial(_probabilities, operation)
    return None


def _kind(layer: keras.Layer) -> Any:
    """Return the class whose scores a layer has; None for scores of the user's own."""
    for kind in (layers.AdditiveAttention, layers.Attention):
        if isinstance(layer, kind):
            own = type(layer)._calculate_scores is not kind._calculate_scores
            return None if own else kind
    return None


def _probabilities(weights: AttentionWeights, called: Any, /, *read: Tensor) -> Tensor:
    """A softmax p of scores s changes by p (ds - sum_k p_k ds_k)."""
    value = called(*read)
    scores, fixed = _scores(weights, read), ops.stop_gradient(value)
    centred = scores - ops.sum(fixed * scores, axis=-1, keepdims=True)
    return with_values(value, fixed * centred)


def _scores(weights: AttentionWeights, read: tuple[Tensor, ...]) -> Tensor:
    """Return scores (B, T, S) before a mask hides some."""
    layer, (queries, keys) = weights.layer, weights.queries_and_keys(*read)
    additive, scale = _kind(layer) is layers.AdditiveAttention, layer.scale
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
