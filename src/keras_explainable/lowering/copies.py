"""Layers that compute what other layers compute, from folded copies of their weights.

A copy remembers its source: `refresh` reads the source's weights again, so that later
training is not forgotten.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.types import Tensor

CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
DEPTHWISE = (layers.DepthwiseConv1D, layers.DepthwiseConv2D)
SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
TRANSPOSED = (
    layers.Conv1DTranspose,
    layers.Conv2DTranspose,
    layers.Conv3DTranspose,
)
LINEAR = (layers.Dense, *CONVOLUTIONS, *DEPTHWISE, *SEPARABLE, *TRANSPOSED)


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
        variance = ops.convert_to_numpy(self.layer.moving_variance).astype("float64")
        scale = 1 / np.sqrt(variance + self.layer.epsilon)
        if self.layer.gamma is not None:
            scale = scale * ops.convert_to_numpy(self.layer.gamma)
        shift = -ops.convert_to_numpy(self.layer.moving_mean) * scale
        if self.layer.beta is not None:
            shift = shift + ops.convert_to_numpy(self.layer.beta)
        return [scale, shift]


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
            kernels[-1] = kernels[-1] * self._beside_kernel(scale)
            bias = shift if bias is None else bias * scale + shift
        return kernels if bias is None else [*kernels, bias]

    def _beside_kernel(self, scale: np.ndarray) -> np.ndarray:
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


class Copy(keras.Layer):
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


class Affine(Copy):
    """Batch norm at inference, as one multiplication and one addition."""

    def call(self, inputs: Tensor) -> Tensor:
        scale, shift = self.copies
        outputs = backend.affine(inputs, scale, shift)
        return backend.relu(outputs, relu_limit(self.source.behind))


class Rebuilt(Copy):
    """A layer of the source's own type."""

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
        return self.inner(inputs)


def _bare(key: str, value: Any) -> Any:
    """Leave out what costs time, or may be the user's own, and computes nothing."""
    if key.endswith("_initializer"):
        return "zeros"
    return None if key.endswith(("_regularizer", "_constraint")) else value


class Convolution(Copy):
    """A convolution, depthwise and separable too, as the backend does it fastest."""

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
        layer = self.source.layer
        ones = (1,) * len(layer.kernel_size)
        options = {
            "strides": layer.strides,
            "dilation": layer.dilation_rate,
            "padding": self.source.padding,
        }
        *firsts, last = self.copies[: len(kernels_of(layer))]
        for kernel in firsts:
            inputs = backend.convolution(inputs, kernel, None, None, **options)
            options = {"strides": ones, "dilation": ones, "padding": "valid"}
        bias = self.copies[-1] if self.copies[-1] is not last else None
        limit = relu_limit(self.source.activation)
        outputs = backend.convolution(inputs, last, bias, limit, **options)
        return outputs if limit is not None else self.source.activation(outputs)


class MaxPooling(keras.Layer):
    """Max pooling, as the backend does it fastest."""

    def __init__(self, layer: keras.Layer, dtype: Any):
        super().__init__(name=layer.name, dtype=dtype, trainable=False)
        self.window = layer.pool_size, layer.strides, layer.padding
        self.built = True

    def call(self, inputs: Tensor) -> Tensor:
        return backend.pool(inputs, *self.window)


def relu_limit(activation: Any) -> float | None:
    """Return where a plain ReLU ends, 6 or infinity; None for anything else."""
    function = getattr(activation, "activation", activation)
    if function is keras.activations.relu:
        return math.inf
    if function is keras.activations.relu6:
        return 6
    if type(activation) is not layers.ReLU or activation.negative_slope or activation.threshold:
        return None
    limit = activation.max_value
    return math.inf if limit is None else limit
