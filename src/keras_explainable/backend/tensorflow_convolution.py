"""Convolutions in TensorFlow whose derivative is a convolution, too.

On many CPUs, TensorFlow's own derivative takes one image after the other and multiplies
few rows at a time. For small images with many channels, it takes several times as long
as the convolution itself.
"""

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_explainable.backend.padding import Padding, Sizes, padding_amounts

#: With fewer channels, such as those of a photo, TensorFlow's derivative is faster.
FEW_CHANNELS = 8


def convolution(
    inputs: Any, kernel: Any, strides: Sizes, padding: Any, dilation: Sizes
) -> Any:
    """Return the convolution of (B, H, W, C) with (h, w, C / groups, outputs)."""
    window, channels = kernel.shape[:2], inputs.shape[-1]
    inputs, padding = _pad_unless_same(inputs, window, strides, padding, dilation)
    if kernel.shape[2] == 1 < channels:
        kernel = tf.reshape(kernel, (*window, channels, -1))
        return tf.nn.depthwise_conv2d(inputs, kernel, (1, *strides, 1), padding)
    dense = set(strides) == {1}
    one_tap = math.prod(window) == 1 and inputs.shape[1:3].is_fully_defined()
    if channels >= FEW_CHANNELS and (dense or one_tap):
        return _with_flipped_gradient(kernel, strides, padding, dilation)(inputs)
    return tf.nn.convolution(inputs, kernel, strides, padding, dilations=dilation)


def _with_flipped_gradient(
    kernel: Any, strides: Sizes, padding: str, dilation: Sizes
) -> Callable[[Any], Any]:
    """Return a convolution whose derivative is one with the flipped kernel.

    Either all strides are 1, or the kernel has a single tap.
    """

    @tf.custom_gradient
    def run(inputs: Any) -> tuple[Any, Callable[[Any], Any]]:
        def pullback(cotangent: Any) -> Any:
            if math.prod(kernel.shape[:2]) == 1:
                products = _times_transposed(cotangent, kernel[0, 0])
                return _undo_strides(products, strides, tf.shape(inputs))
            flipped = tf.transpose(tf.reverse(kernel, (0, 1)), (0, 1, 3, 2))
            amounts = _gradient_padding(kernel.shape[:2], padding, dilation)
            amounts = [(0, 0), *amounts, (0, 0)]
            return tf.nn.conv2d(cotangent, flipped, 1, amounts, dilations=dilation)

        outputs = tf.nn.conv2d(inputs, kernel, strides, padding, dilations=dilation)
        return outputs, pullback

    return run


def _times_transposed(x: Any, matrix: Any) -> Any:
    """Return x (..., outputs) times the transpose of a matrix (inputs, outputs)."""
    flat = tf.reshape(x, (-1, x.shape[-1]))
    products = tf.matmul(flat, matrix, transpose_b=True)
    return tf.reshape(products, (*tf.unstack(tf.shape(x))[:-1], matrix.shape[0]))


def _undo_strides(x: Any, strides: Sizes, shape: Any) -> Any:
    """Return x (B, h, w, C) with zeros between its pixels, in the given shape."""
    if set(strides) == {1}:
        return x
    _, height, width, channels = x.shape
    down, right = strides
    x = tf.reshape(x, (-1, height, 1, width, 1, channels))
    zeros = [(0, 0), (0, 0), (0, down - 1), (0, 0), (0, right - 1), (0, 0)]
    x = tf.reshape(tf.pad(x, zeros), (-1, height * down, width * right, channels))
    return tf.slice(x, (0, 0, 0, 0), shape)


def _gradient_padding(window: Sizes, padding: str, dilation: Sizes) -> Padding:
    """Return the padding of the outputs that restores the size of the inputs."""
    any_size = one = (1, 1)  # With strides of 1 the size does not matter.
    amounts = padding_amounts(padding.lower(), any_size, window, one, dilation)
    reach = [(size - 1) * step for size, step in zip(window, dilation, strict=True)]
    return [
        (total - before, total - after)
        for total, (before, after) in zip(reach, amounts, strict=True)
    ]


def _pad_unless_same(
    inputs: Any, window: Sizes, strides: Sizes, padding: Any, dilation: Sizes
) -> tuple[Any, str]:
    """Return the inputs, padded unless "SAME" is equal, and the remaining padding."""
    if isinstance(padding, str):
        return inputs, padding.upper()
    sizes = inputs.shape[1:-1]
    if sizes.is_fully_defined():
        same = padding_amounts("same", sizes, window, strides, dilation)
        if same == [*padding]:
            return inputs, "SAME"
    return tf.pad(inputs, [(0, 0), *padding, (0, 0)]), "VALID"
