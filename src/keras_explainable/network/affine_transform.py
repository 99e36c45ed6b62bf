"""Affine warps of images, differentiable by the image and by the transform.

TensorFlow's own warp takes another warp for its derivative, which is not its adjoint,
and has no derivative by the transform.
"""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_explainable.types import Tensor


def transformed(operation: Any, images: Tensor, transform: Any) -> Tensor:
    """Return ``keras.ops.image.affine_transform`` of images.

    Args:
        operation: Operation of Keras', with the interpolation and the fill mode.
        images: Images (B, H, W, C) or (H, W, C), or with the channels first.
        transform: Coefficients (B, 8) or (8,) that map each output pixel to an input.
    """
    if single := len(images.shape) == 3:
        images = images[None]
    if first := operation.data_format == "channels_first":
        images = ops.moveaxis(images, 1, -1)
    transform = ops.cast(transform, "float32")
    transform = ops.reshape(transform, (-1, 8, 1, 1))
    height, width = images.shape[1:3]
    x, y = _sources(transform, height, width)
    fill = _FILL_MODES[getattr(operation, "fill_mode", "constant")]
    x, y = fill(x, width), fill(y, height)
    read = _reader(images, operation.fill_value)
    nearest = operation.interpolation == "nearest"
    warped = read(_rounded(y), _rounded(x)) if nearest else _bilinear(read, y, x)
    warped = ops.moveaxis(warped, -1, 1) if first else warped
    return warped[0] if single else warped


def _sources(transform: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return the coordinates (B, H, W) from which output pixels are read."""
    x = ops.arange(width, dtype="float32")[None, None]
    y = ops.arange(height, dtype="float32")[None, :, None]
    a0, a1, a2, b0, b1, b2, c0, c1 = (transform[:, k] for k in range(8))
    scale = c0 * x + c1 * y + 1
    return (a0 * x + a1 * y + a2) / scale, (b0 * x + b1 * y + b2) / scale


def _reader(images: Tensor, fill_value: Any) -> Callable[[Tensor, Tensor], Tensor]:
    """Return a function that reads pixels (B, H, W, C) at whole coordinates."""
    count, height, width, channels = ops.shape(images)
    flat = ops.reshape(images, (-1, channels))
    first = ops.reshape(ops.arange(count, dtype="int32") * height * width, (-1, 1, 1))

    def read(y: Tensor, x: Tensor) -> Tensor:
        inside = (y >= 0) & (y <= height - 1) & (x >= 0) & (x <= width - 1)
        row = ops.cast(ops.clip(y, 0, height - 1), "int32")
        column = ops.cast(ops.clip(x, 0, width - 1), "int32")
        values = ops.take(flat, first + row * width + column, axis=0)
        return ops.where(inside[..., None], values, ops.cast(fill_value, values.dtype))

    return read


def _bilinear(read: Callable[[Tensor, Tensor], Tensor], y: Tensor, x: Tensor) -> Tensor:
    top, left = ops.floor(y), ops.floor(x)

    def row(at: Tensor) -> Tensor:
        right = (x - left)[..., None]
        one, other = read(at, left), read(at, left + 1)
        return one * ops.cast(1 - right, one.dtype) + other * ops.cast(right, one.dtype)

    below = (y - top)[..., None]
    one, other = row(top), row(top + 1)
    return one * ops.cast(1 - below, one.dtype) + other * ops.cast(below, one.dtype)


def _rounded(x: Tensor) -> Tensor:
    """Return the nearest whole numbers; halves go away from zero."""
    return ops.sign(x) * ops.floor(ops.absolute(x) + 0.5)


def _reflected(x: Tensor, size: int) -> Tensor:
    """Mirror coordinates at the outer edges of the first and last pixel."""
    x = ops.mod(x, 2 * size)
    return _nearest(ops.where(x >= size, 2 * size - 1 - x, x), size)


def _wrapped(x: Tensor, size: int) -> Tensor:
    """Repeat the image."""
    period = max(size - 1, 1)
    below = x + size * (ops.floor(-x / period) + 1)
    above = x - size * ops.floor(x / period)
    return _nearest(ops.where(x < 0, below, ops.where(x > size - 1, above, x)), size)


def _nearest(x: Tensor, size: int) -> Tensor:
    return ops.clip(x, 0, size - 1)


_FILL_MODES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "constant": lambda x, size: x,
    "nearest": _nearest,
    "reflect": _reflected,
    "wrap": _wrapped,
}
