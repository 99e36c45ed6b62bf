"""What a copy is made from: layers of the model, and their weights folded together."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.network.operation_kinds import (
    DEPTHWISE,
    SEPARABLE,
    TRANSPOSED,
    batchnorm_arrays,
)


@dataclass(frozen=True)
class Norm:
    """A batch norm, at inference ``x * scale + shift``, and an activation behind it."""

    layer: keras.Layer
    behind: keras.Layer | None = None

    @property
    def activation(self) -> Any:
        """What is applied in the end."""
        return self.behind

    @property
    def variables(self) -> list[keras.Variable]:
        """What the arrays are made of."""
        return list(self.layer.variables)

    def arrays(self) -> list[np.ndarray]:
        """Return scale and shift (channels,)."""
        return batchnorm_arrays(self.layer)


@dataclass(frozen=True)
class Linear:
    """A linear layer, with what stands directly before and behind it.

    Attributes:
        layer: the linear layer.
        before: a layer that pads its input with zeros.
        norm: a batch norm behind it.
        behind: a ReLU behind that.
    """

    layer: keras.Layer
    before: keras.Layer | None = None
    norm: Norm | None = None
    behind: keras.Layer | None = None

    @property
    def activation(self) -> Any:
        """The layer's own activation, or the one behind it."""
        return self.behind or self.layer.activation

    @property
    def padding(self) -> Any:
        """The layer's own padding, or (before, after) for each axis."""
        return self.before.padding if self.before else self.layer.padding

    @property
    def variables(self) -> list[keras.Variable]:
        """What the arrays are made of."""
        return [*self.layer.variables, *(self.norm.variables if self.norm else ())]

    def arrays(self) -> list[np.ndarray]:
        """Return the kernels, then the bias if there is one, with the norm folded in.

        norm(x * kernel + bias) = x * (kernel * scale) + (bias * scale + shift)
        """
        kernels = [ops.convert_to_numpy(kernel) for kernel in kernels_of(self.layer)]
        bias = ops.convert_to_numpy(self.layer.bias) if self.layer.use_bias else None
        if self.norm is not None:
            scale, shift = self.norm.arrays()
            kernels[-1] = kernels[-1] * self._broadcast_to_kernel(scale)
            bias = shift if bias is None else bias * scale + shift
        return kernels if bias is None else [*kernels, bias]

    def _broadcast_to_kernel(self, scale: np.ndarray) -> np.ndarray:
        """Return the scale in the shape that multiplies the layer's last kernel."""
        scale = scale.astype(self.layer.variable_dtype)
        if type(self.layer) in DEPTHWISE:
            return scale.reshape(-1, self.layer.depth_multiplier)
        return scale[:, None] if type(self.layer) in TRANSPOSED else scale


def kernels_of(layer: keras.Layer) -> list[Any]:
    """Return what a linear layer multiplies its input with, in this order."""
    if type(layer) in SEPARABLE:
        return [layer.depthwise_kernel, layer.pointwise_kernel]
    return [layer.kernel]
