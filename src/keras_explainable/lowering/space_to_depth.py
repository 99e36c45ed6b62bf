"""Compute strided convolutions with few input channels on blocks of pixels.

The values of stride x stride pixels become the channels of one pixel, so that a
7 x 7 x 3 kernel with a stride of 2 becomes a 4 x 4 x 12 kernel with a stride of 1. Few
channels leave the vector units of a processor partly idle, above all in the gradient.
With blocks, such a layer takes half the time on TensorFlow and PyTorch; a layer with a
3 x 3 kernel takes as long as before.
"""

from typing import Any

import numpy as np
from keras import ops
from keras.layers import Conv2D

from keras_explainable.backend.padding import Padding, padding_amounts
from keras_explainable.lowering.fold_batchnorm import Linear
from keras_explainable.lowering.lowered_layers import Convolution, default_geometry
from keras_explainable.types import Tensor

#: Largest number of input channels; more of them fill the vector units anyway.
FEW_CHANNELS = 4


def suits_space_to_depth(source: Linear, shape: tuple[Any, ...]) -> bool:
    """Return whether `SpaceToDepth` can replace ``source`` for inputs of this shape."""
    layer = source.layer
    if type(layer) is not Conv2D or None in shape[1:] or shape[-1] > FEW_CHANNELS:
        return False
    stride, other = layer.strides
    has_blocks = 1 < stride == other <= min(layer.kernel_size)
    if not has_blocks or layer.groups > 1 or set(layer.dilation_rate) != {1}:
        return False
    return min(after for _, after in _block_padding(source, shape)) >= 0


class SpaceToDepth(Convolution):
    """A convolution that ``suits_space_to_depth``, computed on blocks of pixels."""

    def __init__(self, source: Linear, shape: tuple[Any, ...], dtype: str):
        self.padding = _block_padding(source, shape)
        super().__init__(source, dtype)

    def _reshaped(self, kernel: np.ndarray, number: int) -> np.ndarray:
        return _block_kernel(kernel, self.source.layer.strides[0])

    def call(self, inputs: Tensor) -> Tensor:
        """Return the source's outputs for inputs (B, H, W, C)."""
        padded = ops.pad(inputs, [(0, 0), *self.padding, (0, 0)])
        blocks = _to_blocks(padded, self.source.layer.strides[0])
        return self.last_convolution(blocks, self.folded[0], *default_geometry(2))


def _block_padding(source: Linear, shape: tuple[Any, ...]) -> Padding:
    """Return the source's padding, changed at the end of each axis to whole blocks."""
    layer, sizes = source.layer, shape[1:-1]
    geometry = layer.kernel_size, layer.strides, layer.dilation_rate
    amounts = padding_amounts(source.padding, sizes, *geometry)
    return [*map(_to_whole_blocks, amounts, sizes, *geometry[:2])]


def _to_whole_blocks(
    amounts: tuple[int, int], size: int, window: int, stride: int
) -> tuple[int, int]:
    before, after = amounts
    outputs = (before + size + after - window) // stride + 1
    blocks = outputs - 1 + -(-window // stride)
    return before, blocks * stride - size - before


def _block_kernel(kernel: np.ndarray, stride: int) -> np.ndarray:
    """Return a kernel (H, W, C, F), padded with zeros, as a kernel for blocks."""
    kernel = np.pad(
        kernel, [*((0, -size % stride) for size in kernel.shape[:2]), (0, 0), (0, 0)]
    )
    rows, columns, channels, filters = kernel.shape
    shape = rows // stride, stride, columns // stride, stride, channels, filters
    blocks = kernel.reshape(shape).transpose(0, 2, 1, 3, 4, 5)
    return blocks.reshape(shape[0], shape[2], -1, filters)


def _to_blocks(x: Tensor, stride: int) -> Tensor:
    """Return (B, H, W, C) as (B, H / stride, W / stride, stride * stride * C)."""
    _, rows, columns, channels = x.shape
    shape = rows // stride, stride, columns // stride, stride, channels
    blocks = ops.transpose(ops.reshape(x, (-1, *shape)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(blocks, (-1, shape[0], shape[2], stride * stride * channels))
