"""Maps and masks as flat NumPy arrays, checked."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common.warnings import warn
from keras_explainable.engine.data_iterators import as_numpy
from keras_explainable.network.model_inputs import shape_text

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

#: Sizes of the axes of maps from which on these may be those of images.
_MANY = 16


def checked_maps(maps: Any) -> Floats:
    """Return maps (N, ..., K) as float64; errors are those of ``as_maps``."""
    return as_maps(maps).astype("float64")


def as_maps(maps: Any) -> NDArray[Any]:
    """Return maps (N, ..., K) as a NumPy array.

    Raises:
        TypeError: If they are not real numbers.
        ValueError: If an axis is missing or empty, or a value is not finite.
    """
    array = _as_numpy("maps", maps)
    if array.ndim < 3 or 0 in array.shape:
        raise ValueError(
            "`maps` must have the shape (N, H, W, K), with a map for each image and "
            f"unit; received {shape_text(array.shape)}."
        )
    _check_finite("maps", array)
    return array


def maps_alone(maps: Any) -> Floats:
    """Return maps (N, ..., K) that come without the inputs which tell their axes.

    Warns of maps that look like those of images without an axis of units.
    """
    checked = checked_maps(maps)
    if checked.ndim == 3 and min(checked.shape[1:]) >= _MANY:
        count, steps, units = checked.shape
        warn(
            f"`maps` of shape {checked.shape} count as {units} maps of each of {count} "
            f"signals with {steps} steps. Maps of images have the shape "
            f"{shape_text((count, steps, units, 'K'))}; for one unit, pass "
            "`maps[..., None]`."
        )
    return checked


def flat_maps(maps: Any) -> Floats:
    """Return maps (N, ..., K) as (N, P, K), one row for each of P pixels."""
    checked = checked_maps(maps)
    return checked.reshape(len(checked), -1, checked.shape[-1])


def checked_masks(masks: Any, shape: tuple[int, ...]) -> Booleans:
    """Return which pixels lie inside masks or boxes, (N, ..., 1) or (N, ..., K).

    Args:
        masks: Masks (N, ...) for all units of an image, or (N, ..., K) for each of
            them, of booleans or of numbers that are not 0 inside; or boxes (N, 4).
        shape: Shape of the maps (N, ..., K).

    Raises:
        TypeError: If they are not real numbers, or boxes not integers.
        ValueError: If their shape does not fit, a value is not finite, or a mask has no
            pixels.
    """
    array = _as_numpy("masks", masks)
    are_boxes = len(shape) == 4 and array.shape == (shape[0], 4)
    if not are_boxes and array.shape not in (shape[:-1], shape):
        boxes = ", or be boxes (N, 4)" if len(shape) == 4 else ""
        raise ValueError(
            f"`masks` must have the size of the maps, {shape_text(shape[:-1])}{boxes}; "
            f"received {shape_text(array.shape)}."
        )
    _check_finite("masks", array)
    array = _masks_of_boxes(array, shape) if are_boxes else array
    inside = (array != 0).reshape(*shape[:-1], -1)
    _check_not_empty(inside)
    return inside


def share(part: Any, whole: Any) -> Floats:
    """Return ``part / whole``; NaN where ``whole`` is 0."""
    whole = np.asarray(whole, "float64")
    unknown = np.full(np.broadcast_shapes(np.shape(part), whole.shape), np.nan)
    return np.divide(part, whole, out=unknown, where=whole != 0)


def _as_numpy(name: str, x: Any) -> NDArray[Any]:
    array = as_numpy(x, name)
    # Of the extra types such as bfloat16, NumPy knows neither the kind nor NaN.
    return array if array.dtype.kind in "biuf" else array.astype("float32")


def _check_finite(name: str, array: NDArray[Any]) -> None:
    finite: Any = np.isfinite(array).reshape(len(array), -1)
    finite = finite.all(axis=1)
    if not finite.all():
        raise ValueError(
            f"`{name}` must be finite; received NaN or infinite values for "
            f"{_images(~finite)}."
        )


def _check_not_empty(inside: Booleans) -> None:
    pixels: Any = inside.reshape(len(inside), -1, inside.shape[-1])
    empty = ~pixels.any(axis=1).all(axis=1)
    if empty.any():
        raise ValueError(
            "`masks` must have at least one pixel for each image; received none for "
            f"{_images(empty)}."
        )


def _masks_of_boxes(boxes: NDArray[Any], shape: tuple[int, ...]) -> Booleans:
    """Return the masks (N, H, W) of boxes (N, 4)."""
    if boxes.dtype.kind not in "iu":
        raise TypeError(
            "`masks` must be integers if they are boxes, (top, left, bottom, right) in "
            f"pixels; received {boxes.dtype}."
        )
    top, left, bottom, right = boxes.T[..., None]
    row, column = np.arange(shape[1]), np.arange(shape[2])
    rows = (row >= top) & (row < bottom)
    columns = (column >= left) & (column < right)
    return rows[:, :, None] & columns[:, None, :]


def _images(chosen: Booleans) -> str:
    """Return the numbers of the chosen images (N,), as text."""
    numbers = np.flatnonzero(chosen)
    listed = ", ".join(map(str, numbers[:5]))
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return f"image{'s' if len(numbers) > 1 else ''} {listed}{more}"
