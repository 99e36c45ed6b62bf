"""Fold the weights of batch normalization into those of the layer before it."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.network import operation_kinds as kinds


@dataclass(frozen=True)
class Norm:
    """Batch normalization, which is ``x * scale + shift`` at inference, and a ReLU.

    Attributes:
        layer: Batch normalization layer.
        relu: ReLU directly after it.
    """

    layer: keras.Layer
    relu: keras.Layer | None = None

    @property
    def activation(self) -> Any:
        """The ReLU after the layer, or None."""
        return self.relu

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables from which ``arrays`` are computed."""
        return list(self.layer.variables)

    def arrays(self) -> list[np.ndarray]:
        """Return the scale and the shift, each (channels,)."""
        return kinds.batchnorm_arrays(self.layer)


@dataclass(frozen=True)
class Linear:
    """A linear layer and the layers around it that a single layer can replace.

    Attributes:
        layer: Linear layer.
        zero_padding: Zero padding directly before it.
        norm: Batch normalization directly after it.
        relu: ReLU after these.
    """

    layer: keras.Layer
    zero_padding: keras.Layer | None = None
    norm: Norm | None = None
    relu: keras.Layer | None = None

    @property
    def activation(self) -> Any:
        """The ReLU after the layer, or else the layer's own activation."""
        return self.relu or self.layer.activation

    @property
    def padding(self) -> Any:
        """The layer's own padding, or (before, after) for each axis."""
        return self.zero_padding.padding if self.zero_padding else self.layer.padding

    @property
    def variables(self) -> list[keras.Variable]:
        """The variables from which ``arrays`` are computed."""
        return [*self.layer.variables, *(self.norm.variables if self.norm else ())]

    def arrays(self) -> list[np.ndarray]:
        """Return the kernels and the bias, if there is one, with ``norm`` folded in.

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
        """Return the scale in a shape that broadcasts against the last kernel."""
        scale = scale.astype(self.layer.variable_dtype)
        if type(self.layer) in kinds.DEPTHWISE:
            return scale.reshape(-1, self.layer.depth_multiplier)
        return scale[:, None] if type(self.layer) in kinds.TRANSPOSED else scale


def kernels_of(layer: keras.Layer) -> list[Any]:
    """Return the kernels of a linear layer, in the order in which they are applied."""
    if type(layer) in kinds.SEPARABLE:
        return [layer.depthwise_kernel, layer.pointwise_kernel]
    return [layer.kernel]
