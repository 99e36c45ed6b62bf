"""Layers that compute what other layers compute, from folded copies of their weights.

A copy remembers its source: `refresh` reads the source's weights again, so that later
training is not forgotten.
"""

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.lowering.fold_batchnorm import Linear, Norm, kernels_of
from keras_explainable.network.operation_kinds import DEPTHWISE, SEPARABLE, relu_limit
from keras_explainable.types import Tensor


class LoweredLayer(keras.Layer):
    """A layer with a copy of its source's arrays."""

    def __init__(self, source: Norm | Linear, dtype: str):
        super().__init__(name=source.layer.name, dtype=dtype, trainable=False)
        self.source = source
        self.supports_masking = source.layer.supports_masking
        self.copies: list[keras.Variable] = self.make()
        self.built = True

    def make(self) -> list[keras.Variable]:
        """Return new variables with the source's arrays."""
        return [
            self.add_weight(shape=array.shape, initializer=_always(array))
            for array in self.arrays()
        ]

    def arrays(self) -> Iterable[np.ndarray]:
        """Return the source's arrays in the layout that the copy wants."""
        return self.source.arrays()

    def refresh(self) -> None:
        """Read the source's weights again."""
        for variable, array in zip(self.copies, self.arrays(), strict=True):
            variable.assign(array)


def _always(array: np.ndarray) -> Callable[..., Tensor]:
    return lambda shape, dtype: ops.cast(array, dtype)


class Affine(LoweredLayer):
    """Batch norm at inference, as one multiplication and one addition."""

    def call(self, inputs: Tensor) -> Tensor:
        """Return what the norm and the activation behind it make of (B, ..., C)."""
        scale, shift = self.copies
        outputs = backend.affine(inputs, scale, shift)
        return backend.relu(outputs, relu_limit(self.source.behind))


class Folded(LoweredLayer):
    """A layer of the source's own type."""

    source: Linear

    def __init__(self, source: Linear, shape: tuple[int | None, ...], dtype: str):
        self.shape = shape
        super().__init__(source, dtype)

    def make(self) -> list[keras.Variable]:
        """Return the variables of a new layer of the same type."""
        layer = self.source.layer
        config = {key: _bare(key, value) for key, value in layer.get_config().items()}
        config |= {"dtype": self.dtype_policy, "activation": None}
        config["use_bias"] = layer.use_bias or self.source.norm is not None
        self.inner = type(layer).from_config(config)
        self.inner.activation = layer.activation
        self.inner.build(self.shape)
        for variable, array in zip(self.inner.variables, self.arrays(), strict=True):
            variable.assign(array)
        return self.inner.variables

    def call(self, inputs: Tensor) -> Tensor:
        """Return what the new layer makes of the inputs."""
        return self.inner(inputs)


def _bare(key: str, value: Any) -> Any:
    """Leave out what costs time, or may be the user's own, and computes nothing."""
    if key.endswith("_initializer"):
        return "zeros"
    return None if key.endswith(("_regularizer", "_constraint")) else value


class Convolution(LoweredLayer):
    """A convolution, depthwise and separable too, as the backend does it fastest."""

    source: Linear

    def arrays(self) -> Iterable[np.ndarray]:
        """Return the kernels in the backend's own layout, and the bias."""
        kernels = len(kernels_of(self.source.layer))
        for number, array in enumerate(self.source.arrays()):
            if number < kernels:
                array = backend.kernel_layout(self._grouped(array, number))
            yield array

    def _grouped(self, kernel: np.ndarray, number: int) -> np.ndarray:
        """Return a depthwise kernel (..., channels, multiplier) as a grouped one."""
        kind = type(self.source.layer)
        if kind in DEPTHWISE or (kind in SEPARABLE and number == 0):
            return kernel.reshape(*kernel.shape[:-2], 1, -1)
        return kernel

    def call(self, inputs: Tensor) -> Tensor:
        """Return what the source makes of (B, ..., C)."""
        layer = self.source.layer
        how = layer.strides, self.source.padding, layer.dilation_rate
        *firsts, last = self.copies[: len(kernels_of(layer))]
        for kernel in firsts:
            inputs = backend.convolution(inputs, kernel, None, None, *how)
            how = plain(len(layer.strides))
        return self.ended(inputs, last, *how)

    def ended(self, inputs: Tensor, kernel: Any, *how: Any) -> Tensor:
        """Return the last convolution, with the bias and the activation."""
        bias = self.copies[-1] if self.copies[-1] is not kernel else None
        limit = relu_limit(self.source.activation)
        outputs = backend.convolution(inputs, kernel, bias, limit, *how)
        return outputs if limit is not None else self.source.activation(outputs)


def plain(rank: int) -> tuple[Any, ...]:
    """Return strides, padding and dilation of a convolution that has none of them."""
    return (1,) * rank, "valid", (1,) * rank


class MaxPooling(keras.Layer):
    """Max pooling, as the backend does it fastest."""

    def __init__(self, layer: keras.Layer, dtype: Any):
        super().__init__(name=layer.name, dtype=dtype, trainable=False)
        self.window = layer.pool_size, layer.strides, layer.padding
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Return the largest value in each window of (B, H, W, C)."""
        return backend.max_pool(inputs, *self.window)
