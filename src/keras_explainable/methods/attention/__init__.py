"""Attention of transformers, from the tokens that a unit reads back to the patches.

Each method takes a model with attention, inputs, units (B, K), and returns logits and
maps on the grid of the tokens, (B, h, w, K). ``attention_rollout`` multiplies the
probabilities of all layers; ``gradient_attention_rollout`` and
``transformer_attribution`` weight them by the gradients of a unit.
"""

from keras_explainable.methods.attention.rollout import (
    attention_rollout,
    gradient_attention_rollout,
)
from keras_explainable.methods.attention.transformer_attribution import (
    transformer_attribution,
)

__all__ = [
    "attention_rollout",
    "gradient_attention_rollout",
    "transformer_attribution",
]

__dir__ = __all__.copy
