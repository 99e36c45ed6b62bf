"""Convolutions of few channels with strides, as convolutions of blocks of pixels.

The values of stride x stride pixels become the channels of one: a 7 x 7 x 3 kernel with
strides of 2 becomes a 4 x 4 x 12 kernel without. Few channels leave a processor's
vectors empty, above all in the gradient: with the blocks such a layer takes half the
time on TensorFlow and PyTorch, a 3 x 3 kernel as long as before.
"""

from typing import Any

import numpy as np
from keras import ops
from keras.layers import Conv2D

from keras_explainable.backend.padding import Padding, padding_amounts
from keras_explainable.lowering.fold_batchnorm import Linear
from keras_explainable.lowering.lowered_layers import Convolution, plain
from keras_explainable.types import Tensor

#: More channels than these fill the vectors by themselves.
FEW_CHANNELS = 4


def suits_space_to_depth(source: Linear, shape: tuple[Any, ...]) -> bool:
    """Whether a `SpaceToDepth` can do what ``source`` does to inputs of this shape."""
    layer = source.layer
    if type(layer) is not Conv2D or None in shape[1:] or shape[-1] > FEW_CHANNELS:
        return False
    step, other = layer.strides
    blocks = 1 < step == other <= min(layer.kernel_size)
    if not blocks or layer.groups > 1 or set(layer.dilation_rate) != {1}:
        return False
    return min(behind for _, behind in _around(source, shape)) >= 0


class SpaceToDepth(Convolution):
    """The copy of a convolution that ``suits_space_to_depth``."""

    def __init__(self, source: Linear, shape: tuple[Any, ...], dtype: str):
        self.around = _around(source, shape)
        super().__init__(source, dtype)

    def _grouped(self, kernel: np.ndarray, number: int) -> np.ndarray:
        return _of_blocks(kernel, self.source.layer.strides[0])

    def call(self, inputs: Tensor) -> Tensor:
        """Return what the source makes of (B, H, W, C)."""
        padded = ops.pad(inputs, [(0, 0), *self.around, (0, 0)])
        blocks = _blocks(padded, self.source.layer.strides[0])
        return self.ended(blocks, self.copies[0], *plain(2))


def _around(source: Linear, shape: tuple[Any, ...]) -> Padding:
    """Return the source's padding, changed behind so that whole blocks are read."""
    layer, sizes = source.layer, shape[1:-1]
    how = layer.kernel_size, layer.strides, layer.dilation_rate
    sides = padding_amounts(source.padding, sizes, *how)
    return [*map(_of_whole_blocks, sides, sizes, *how[:2])]


def _of_whole_blocks(
    side: tuple[int, int], size: int, window: int, step: int
) -> tuple[int, int]:
    before, behind = side
    outputs = (before + size + behind - window) // step + 1
    blocks = outputs - 1 + -(-window // step)
    return before, blocks * step - size - before


def _of_blocks(kernel: np.ndarray, step: int) -> np.ndarray:
    """Return a kernel (H, W, C, F), filled up with zeros, as one of blocks."""
    kernel = np.pad(
        kernel, [*((0, -size % step) for size in kernel.shape[:2]), (0, 0), (0, 0)]
    )
    rows, columns, channels, filters = kernel.shape
    parts = rows // step, step, columns // step, step, channels, filters
    blocks = kernel.reshape(parts).transpose(0, 2, 1, 3, 4, 5)
    return blocks.reshape(parts[0], parts[2], -1, filters)


def _blocks(x: Tensor, step: int) -> Tensor:
    """Return (B, H, W, C) as (B, H / step, W / step, step * step * C)."""
    _, rows, columns, channels = x.shape
    parts = rows // step, step, columns // step, step, channels
    blocks = ops.transpose(ops.reshape(x, (-1, *parts)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(blocks, (-1, parts[0], parts[2], step * step * channels))
