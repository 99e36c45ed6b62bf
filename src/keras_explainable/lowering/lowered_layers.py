"""Layers that compute what other layers compute, from folded copies of their weights.

Each keeps a reference to its source, so that `refresh` can copy the source's weights
again after they have been trained further.
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
    """A layer with variables that hold a copy of its source's folded weights."""

    def __init__(self, source: Norm | Linear, dtype: str):
        super().__init__(name=source.layer.name, dtype=dtype, trainable=False)
        self.source = source
        self.supports_masking = source.layer.supports_masking
        self.folded: list[keras.Variable] = self.make_variables()
        self.built = True

    def make_variables(self) -> list[keras.Variable]:
        """Return new variables with the source's arrays."""
        return [
            self.add_weight(shape=array.shape, initializer=_constant(array))
            for array in self.arrays()
        ]

    def arrays(self) -> Iterable[np.ndarray]:
        """Return the source's arrays in the layout that this layer uses."""
        return self.source.arrays()

    def refresh(self) -> None:
        """Copy the source's weights again."""
        for variable, array in zip(self.folded, self.arrays(), strict=True):
            variable.assign(array)


def _constant(array: np.ndarray) -> Callable[..., Tensor]:
    return lambda shape, dtype: ops.cast(array, dtype)


class Affine(LoweredLayer):
    """Batch normalization at inference, as one multiplication and one addition."""

    def call(self, inputs: Tensor) -> Tensor:
        """Return the normalized inputs (B, ..., C), after the ReLU if there is one."""
        scale, shift = self.folded
        outputs = backend.affine(inputs, scale, shift)
        return backend.relu(outputs, relu_limit(self.source.relu))


class FoldedLayer(LoweredLayer):
    """A layer of the source's type, with folded weights."""

    source: Linear

    def __init__(self, source: Linear, shape: tuple[int | None, ...], dtype: str):
        self.shape = shape
        super().__init__(source, dtype)
        self.refresh()

    def make_variables(self) -> list[keras.Variable]:
        """Return the variables of a new layer of the same type."""
        layer = self.source.layer
        config = {key: _plain(key, value) for key, value in layer.get_config().items()}
        config |= {"dtype": self.dtype_policy, "activation": None}
        config["use_bias"] = layer.use_bias or self.source.norm is not None
        self.inner = type(layer).from_config(config)
        self.inner.activation = layer.activation
        self.inner.build(self.shape)
        return self.inner.variables

    def call(self, inputs: Tensor) -> Tensor:
        """Return the outputs of the new layer."""
        return self.inner(inputs)


def _plain(key: str, value: Any) -> Any:
    """Return an option, replaced if it only takes time or may be a user's object."""
    if key.endswith("_initializer"):
        return "zeros"
    return None if key.endswith(("_regularizer", "_constraint")) else value


class Convolution(LoweredLayer):
    """A convolution of any kind, in the form that is fastest on the backend."""

    source: Linear

    def arrays(self) -> Iterable[np.ndarray]:
        """Return the kernels in the backend's layout, and the bias if there is one."""
        kernels = len(kernels_of(self.source.layer))
        for number, array in enumerate(self.source.arrays()):
            if number < kernels:
                array = backend.kernel_layout(self._reshaped(array, number))
            yield array

    def _reshaped(self, kernel: np.ndarray, number: int) -> np.ndarray:
        """Return a depthwise kernel (..., channels, multiplier) as a grouped kernel."""
        kind = type(self.source.layer)
        if kind in DEPTHWISE or (kind in SEPARABLE and number == 0):
            return kernel.reshape(*kernel.shape[:-2], 1, -1)
        return kernel

    def call(self, inputs: Tensor) -> Tensor:
        """Return the source's outputs for inputs (B, ..., C)."""
        layer = self.source.layer
        geometry = layer.strides, self.source.padding, layer.dilation_rate
        *firsts, last = self.folded[: len(kernels_of(layer))]
        for kernel in firsts:
            inputs = backend.convolution(inputs, kernel, None, None, *geometry)
            geometry = default_geometry(len(layer.strides))
        return self.last_convolution(inputs, last, *geometry)

    def last_convolution(self, inputs: Tensor, kernel: Any, *geometry: Any) -> Tensor:
        """Return the last convolution, with the bias and the activation."""
        bias = self.folded[-1] if self.folded[-1] is not kernel else None
        limit = relu_limit(self.source.activation)
        outputs = backend.convolution(inputs, kernel, bias, limit, *geometry)
        return outputs if limit is not None else self.source.activation(outputs)


def default_geometry(rank: int) -> tuple[Any, ...]:
    """Return the default strides, padding and dilation of a convolution."""
    return (1,) * rank, "valid", (1,) * rank


class MaxPooling(keras.Layer):
    """Max pooling, in the form that is fastest on the backend."""

    def __init__(self, layer: keras.Layer, dtype: Any):
        super().__init__(name=layer.name, dtype=dtype, trainable=False)
        self.window = layer.pool_size, layer.strides, layer.padding
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        """Return the maximum of each window of the inputs (B, H, W, C)."""
        return backend.max_pool(inputs, *self.window)
