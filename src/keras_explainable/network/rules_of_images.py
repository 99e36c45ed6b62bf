"""Rules for colours and perspective, which TensorFlow does not differentiate truly."""

from typing import Any

from keras import ops

from keras_explainable.network import affine_transform
from keras_explainable.network.rules_of_two import with_values
from keras_explainable.types import Tensor


def hsv_to_rgb(operation: Any, images: Tensor) -> Tensor:
    """TensorFlow has no derivatives of this."""
    axis = -3 if operation.data_format == "channels_first" else -1
    hue, saturation, value = ops.split(images, 3, axis=axis)
    sextant = 6 * hue

    def part(distance: Tensor) -> Tensor:
        inside = ops.where(distance > 1, 1, ops.where(distance < 0, 0, distance))
        return value * (1 - saturation + saturation * inside)

    red = part(ops.abs(sextant - 3) - 1)
    others = [part(2 - ops.abs(sextant - peak)) for peak in (2, 4)]
    formula = ops.concatenate([red, *others], axis=axis)
    return with_values(operation(images), formula)


def perspective_transform(
    operation: Any, images: Tensor, start_points: Any, end_points: Any
) -> Tensor:
    """TensorFlow takes another warp for the derivative."""
    transform = _homography(*(_points(x) for x in (start_points, end_points)))
    return affine_transform.transformed(operation, images, transform)


def _points(points: Any) -> Tensor:
    return ops.reshape(ops.cast(points, "float32"), (-1, 4, 2))


def _homography(start: Tensor, end: Tensor) -> Tensor:
    """Return the coefficients (B, 8) of the map from four points to four others."""
    u, v, x, y = (points[..., k] for points in (start, end) for k in (0, 1))
    ones, zeros = ops.ones_like(x), ops.zeros_like(x)
    upper = [x, y, ones, zeros, zeros, zeros, -u * x, -u * y]
    lower = [zeros, zeros, zeros, x, y, ones, -v * x, -v * y]
    rows = [ops.stack(each, axis=-1) for each in (upper, lower)]
    sides = ops.concatenate([u, v], axis=1)[..., None]
    return ops.solve(ops.concatenate(rows, axis=1), sides)[..., 0]
