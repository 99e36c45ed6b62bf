"""Functions of tensors that may carry a mask, which Keras passes on by layers only."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from keras_explainable.types import Tensor


def makes_mask(step: Any) -> bool:
    """Return whether a step may give its output a mask that its input has not."""
    layer = step.operation
    known = keras.Layer.compute_mask
    return isinstance(layer, keras.Layer) and type(layer).compute_mask is not known


def starts_mask(step: Any) -> bool:
    """Return whether a step may give its output a mask though no input has one."""
    layer = step.operation
    if isinstance(layer, layers.Masking) or getattr(layer, "mask_zero", False):
        return True
    own = not type(layer).__module__.startswith("keras.")
    return own and makes_mask(step) and not hasattr(layer, "mask_zero")


def passes_mask(step: Any) -> bool:
    """Return whether a step gives its output the mask of its input."""
    supports = getattr(step.operation, "supports_masking", False)
    return supports and not makes_mask(step)


class MaskPassing(layers.Layer):
    """A function of tensors. What it returns carries the mask of the first."""

    def __init__(self, function: Callable[..., Any]):
        super().__init__(autocast=False)
        self.function, self.supports_masking, self.built = function, True, True

    def call(self, x: Tensor, *others: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return what the function returns."""
        return self.function(x, *others)
