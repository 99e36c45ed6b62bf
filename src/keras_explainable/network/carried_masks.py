"""Masks that tensors carry to layers, as tensors of a graph.

Keras attaches masks to values. Operations lose them, so that a layer that is opened
into its operations must be given them.
"""

from typing import Any

from keras import layers, ops

from keras_explainable.network.mask_passing import MaskPassing
from keras_explainable.types import Tensor


class CarriedMask(layers.Layer):
    """The mask (B, T) of a tensor (B, T, ...); true everywhere if it carries none."""

    def __init__(self) -> None:
        super().__init__(autocast=False)
        self.supports_masking = self.built = True

    def call(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the mask."""
        return ops.any(x == x, axis=-1) if mask is None else ops.cast(mask, "bool")


class WithoutMask(layers.Layer):
    """The same tensor, which carries no mask."""

    def __init__(self) -> None:
        super().__init__(autocast=False)
        self.supports_masking = self.built = True

    def call(self, x: Tensor) -> Tensor:
        """Return a copy of the tensor."""
        return ops.copy(x)

    def compute_mask(self, inputs: Tensor, previous_mask: Any) -> None:
        """Return no mask."""


def with_mask_of(first: Any, x: Any) -> Any:
    """Return a symbol that carries the mask of the first one."""
    return MaskPassing(_second)(first, x)


def _second(_: Tensor, x: Tensor) -> Tensor:
    return x
