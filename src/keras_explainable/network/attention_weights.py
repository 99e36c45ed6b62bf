"""The layers ``Attention`` and ``AdditiveAttention`` as probabilities and a product."""

from typing import Any

import keras
from keras import layers, ops

from keras_explainable.network.carried_masks import CarriedMask, with_mask_of
from keras_explainable.network.graph import Step, symbols_in
from keras_explainable.types import Tensor


class AttentionWeights(layers.Layer):
    """The probabilities (B, T, S) of such a layer.

    It runs the layer itself, as its scores may be products of variables, which cannot
    be multiplied with symbols.
    """

    def __init__(self, step: Step):
        super().__init__(autocast=False)
        self.layer, self.step = step.operation, step
        self.supports_masking = self.built = True

    def call(self, *tensors: Tensor) -> Tensor:
        """Return the probabilities, given what the step reads."""
        step = self._given(tensors)
        options = step.kwargs | {"return_attention_scores": True, "training": False}
        return self.layer(*step.args, **options)[1]

    def queries_and_keys(self, *tensors: Tensor) -> tuple[Tensor, Tensor]:
        """Return the queries (B, T, C) and the keys (B, S, C) among what it reads."""
        step = self._given(tensors)
        queries, *others = step.args[0] if step.args else step.kwargs["inputs"]
        return queries, others[-1]

    def _given(self, tensors: tuple[Tensor, ...]) -> Step:
        values = dict(zip(map(id, self.step.reads), tensors, strict=True))
        return self.step.reading(values)

    def compute_output_spec(self, *symbols: Any) -> keras.KerasTensor:
        """Return their symbol, without a call of the layer."""
        queries, values = symbols[:2]
        return keras.KerasTensor((*queries.shape[:2], values.shape[1]), queries.dtype)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        """Return no mask."""


def weights_and_product(
    step: Step, masked: bool, inputs: list[Any], **options: Any
) -> tuple[Any, dict[int, Any]]:
    """Return what such a layer outputs for symbols, and that no tensor loses a mask.

    Args:
        step: Step of the layer.
        masked: Whether tensors may carry masks.
        inputs: Queries, values and maybe keys.
        options: Further arguments of the layer.
    """
    weights = AttentionWeights(step)(*symbols_in((inputs, options)))
    queries, values, *_ = inputs
    outputs = ops.matmul(weights, values)
    shown = (options.get("mask") or [None])[0]
    if shown is None and masked:
        shown = CarriedMask()(queries)
    if shown is not None:
        outputs *= ops.cast(ops.expand_dims(shown, -1), outputs.dtype)
    outputs = with_mask_of(queries, outputs) if masked else outputs
    both = options.get("return_attention_scores")
    return ([outputs, weights] if both else outputs), {}
