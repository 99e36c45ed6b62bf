"""Convolutions in TensorFlow whose derivative is a convolution, too.

On many CPUs TensorFlow's own derivative goes from image to image and multiplies few
rows at a time: of a small picture with many channels it takes several times as long as
the convolution itself.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from keras_explainable.backend.padding import padding_amounts

#: Of fewer channels, such as those of a picture, TensorFlow's own derivative is faster.
FEW_CHANNELS = 8

Sizes = Sequence[int]


def convolution(
    inputs: Any, kernel: Any, strides: Sizes, padding: Any, dilation: Sizes
) -> Any:
    """Return the convolution of (B, H, W, C) with (h, w, C / groups, outputs)."""
    window, channels = kernel.shape[:2], inputs.shape[-1]
    inputs, padding = _padded(inputs, window, strides, padding, dilation)
    if kernel.shape[2] == 1 < channels:
        kernel = tf.reshape(kernel, (*window, channels, -1))
        return tf.nn.depthwise_conv2d(inputs, kernel, (1, *strides, 1), padding)
    dense = set(strides) == {1}
    one_tap = math.prod(window) == 1 and inputs.shape[1:3].is_fully_defined()
    if channels >= FEW_CHANNELS and (dense or one_tap):
        return _turning(kernel, strides, padding, dilation)(inputs)
    return tf.nn.convolution(inputs, kernel, strides, padding, dilations=dilation)


def _turning(
    kernel: Any, strides: Sizes, padding: str, dilation: Sizes
) -> Callable[[Any], Any]:
    """Return a convolution whose derivative is that with the turned kernel.

    Either the strides are one, or the kernel has one tap.
    """

    @tf.custom_gradient
    def run(inputs: Any) -> tuple[Any, Callable[[Any], Any]]:
        def pulled(cotangent: Any) -> Any:
            if math.prod(kernel.shape[:2]) == 1:
                found = _mixed(cotangent, kernel[0, 0])
                return _apart(found, strides, tf.shape(inputs))
            turned = tf.transpose(tf.reverse(kernel, (0, 1)), (0, 1, 3, 2))
            around = [(0, 0), *_around(kernel.shape[:2], padding, dilation), (0, 0)]
            return tf.nn.conv2d(cotangent, turned, 1, around, dilations=dilation)

        outputs = tf.nn.conv2d(inputs, kernel, strides, padding, dilations=dilation)
        return outputs, pulled

    return run


def _mixed(x: Any, matrix: Any) -> Any:
    """Return x (..., outputs) times a matrix (inputs, outputs), which is not copied."""
    flat = tf.reshape(x, (-1, x.shape[-1]))
    products = tf.matmul(flat, matrix, transpose_b=True)
    return tf.reshape(products, (*tf.unstack(tf.shape(x))[:-1], matrix.shape[0]))


def _apart(x: Any, strides: Sizes, shape: Any) -> Any:
    """Return x (B, h, w, C) with zeros between, so that it has the shape."""
    if set(strides) == {1}:
        return x
    _, height, width, channels = x.shape
    down, right = strides
    x = tf.reshape(x, (-1, height, 1, width, 1, channels))
    zeros = [(0, 0), (0, 0), (0, down - 1), (0, 0), (0, right - 1), (0, 0)]
    x = tf.reshape(tf.pad(x, zeros), (-1, height * down, width * right, channels))
    return tf.slice(x, (0, 0, 0, 0), shape)


def _around(window: Sizes, padding: str, dilation: Sizes) -> list[tuple[int, int]]:
    """Return the zeros around the outputs, so many that it gives back the inputs."""
    any_size = one = (1, 1)  # With strides of one it does not matter.
    found = padding_amounts(padding.lower(), any_size, window, one, dilation)
    wide = [(size - 1) * step for size, step in zip(window, dilation, strict=True)]
    return [
        (all_ - before, all_ - after)
        for all_, (before, after) in zip(wide, found, strict=True)
    ]


def _padded(
    inputs: Any, window: Sizes, strides: Sizes, padding: Any, dilation: Sizes
) -> tuple[Any, str]:
    """Return what is left for the operation to pad: "SAME" where that is equal."""
    if isinstance(padding, str):
        return inputs, padding.upper()
    sizes = inputs.shape[1:-1]
    known = sizes.is_fully_defined()
    if known and padding_amounts("same", sizes, window, strides, dilation) == [
        *padding
    ]:
        return inputs, "SAME"
    return tf.pad(inputs, [(0, 0), *padding, (0, 0)]), "VALID"
