"""Colours of images and maps, as 8-bit RGB.

Zero has the same colour in every map: a map without negative values runs through
``SEQUENTIAL`` from 0 to its maximum, one with negative values through
``DIVERGING`` from minus to plus its largest magnitude. Both are perceptually even:
equal steps of the map look equally large.
"""

import importlib
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

__all__ = ["DIVERGING", "SEQUENTIAL", "colorize", "overlay", "to_rgb"]

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

#: Names of the colour maps used when none is given.
SEQUENTIAL = "inferno"
DIVERGING = "coolwarm"

#: What is neither finite nor a colour of either map.
MISSING = (128, 128, 128)

#: How far values may lie outside of their range, as a fraction of it, and are
#: clipped: smooth resizing overshoots by that much.
_OVERSHOOT = 0.05


def to_rgb(image: Any) -> Pixels:
    """Return an image as 8-bit RGB, (H, W, 3).

    Whole numbers are read as 0..255. Floats are read as 0..1, unless one is above
    1.05: then all are read as 0..255. Transparent pixels become white.

    Args:
        image: A PIL image, or an array of any real dtype: grey (H, W) or (H, W, 1),
            RGB (H, W, 3) or RGBA (H, W, 4).

    Returns:
        uint8 (H, W, 3), a copy.

    Raises:
        ValueError: if the shape is none of these or values are out of both ranges.
    """
    pixels = _bytes(to_numpy(image))
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[-1] not in (1, 3, 4) or not pixels.size:
        raise ValueError(
            "`image` must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); "
            f"received shape {np.shape(image)}."
        )
    if pixels.shape[-1] == 4:
        return _blend(255, pixels[..., :3], pixels[..., 3:] / 255)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy()


def colorize(map_: Any, cmap: Any = None) -> Pixels:
    """Return a map in colours, (H, W, 3).

    Limits are 0 to max if no value is negative, else -max |value| to max |value|.
    What is NaN or infinite is drawn in middle grey, and sets no limits.

    Args:
        map_: An array (H, W) or (H, W, 1).
        cmap: Name of a matplotlib colour map, or such a map; ``None`` is
            ``SEQUENTIAL``, or ``DIVERGING`` where there are negative values.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: if ``map_`` is not a single map, or ``cmap`` is unknown.
        ImportError: if matplotlib is not installed.
    """
    values = single_map(map_)
    finite = np.isfinite(values)
    values = np.where(finite, values, 0)
    signed = bool((values < 0).any())
    unit = _scaled(values)
    chosen = _colormap(cmap or (DIVERGING if signed else SEQUENTIAL))
    colors: Pixels = chosen((unit + 1) / 2 if signed else unit, bytes=True)[..., :3]
    colors[~finite] = MISSING
    return colors


def overlay(image: Any, map_: Any, alpha: float = 0.75, cmap: Any = None) -> Pixels:
    """Return an image with a map in colours above it, (H, W, 3).

    The map covers the more of the image the larger its magnitude: nothing where it
    is zero, a share of ``alpha`` where it is largest.

    Args:
        image: As in ``to_rgb``.
        map_: As in ``colorize``; resized to the image where their sizes differ.
        alpha: Share of the map where it is largest, 0..1.
        cmap: As in ``colorize``.

    Returns:
        uint8 (H, W, 3), of the image's size.

    Raises:
        ValueError: if ``image``, ``map_``, ``alpha`` or ``cmap`` is not as above.
        ImportError: if matplotlib or Pillow is not installed.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"`alpha` must be in 0..1; received {alpha!r}.")
    below = to_rgb(image)
    values = _resized(single_map(map_), below.shape[:2])
    share = alpha * np.abs(_scaled(np.nan_to_num(values, posinf=0, neginf=0)))
    return _blend(below, colorize(values, cmap), share[..., None])


def single_map(map_: Any) -> Floats:
    """Return one map as float32 (H, W), without its axis of one unit."""
    values = to_numpy(map_)
    values = values[..., 0] if values.ndim == 3 and values.shape[-1] == 1 else values
    if values.ndim != 2 or not values.size:
        raise ValueError(
            f"`map_` must be (H, W) or (H, W, 1); received shape {values.shape}."
        )
    return values.astype("float32")


def to_numpy(x: Any) -> NDArray[Any]:
    """Return a PIL image, tensor or array-like as a NumPy array."""
    if hasattr(x, "convert") and hasattr(x, "mode"):
        transparent = getattr(x, "has_transparency_data", False)
        return np.asarray(x.convert("RGBA" if transparent else "RGB"))
    tensor = keras.ops.is_tensor(x)
    array = np.asarray(keras.ops.convert_to_numpy(x) if tensor else x)
    if array.dtype.name == "bfloat16":  # Not a type of NumPy's own.
        array = array.astype("float32")
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"images and maps must be real numbers; received {array.dtype}."
        )
    return array


def needed(module: str) -> Any:
    """Return an imported optional module, or say how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = {"PIL": "Pillow"}.get(name := module.partition(".")[0], name)
        raise ImportError(
            f"Drawing needs {package}, which is not installed: "
            'pip install "keras-explainable[plot]"'
        ) from error


def _bytes(image: NDArray[Any]) -> Pixels:
    """Reads 0..255 or 0..1 as 0..255."""
    if image.dtype == np.uint8 or not image.size:
        return image.astype("uint8")
    values = image.astype("float32")
    whole = image.dtype.kind in "iu"
    top = 255.0 if whole or values.max() > 1 + _OVERSHOOT else 1.0
    slack = _OVERSHOOT * top
    if not (values.min() >= -slack and values.max() <= top + slack):
        raise ValueError(
            "`image` must have values in 0..1 or 0..255; "
            f"received {values.min():g}..{values.max():g}."
        )
    return np.rint(np.clip(values / top, 0, 1) * 255).astype("uint8")


def _scaled(values: Floats) -> Floats:
    """Divides by the largest magnitude; zeros stay zeros."""
    top = np.abs(values).max()
    return values / top if top > 0 else values


def _blend(below: Any, above: Pixels, share: Any) -> Pixels:
    mixed = below * (1 - share) + above * share
    return np.rint(mixed).astype("uint8")


def _resized(values: Floats, size: tuple[int, ...]) -> Floats:
    if values.shape == size:
        return values
    picture = needed("PIL.Image")
    height, width = size
    scaled = picture.fromarray(values).resize(
        (width, height), picture.Resampling.BILINEAR
    )
    return np.asarray(scaled)


def _colormap(cmap: Any) -> Any:
    return needed("matplotlib").colormaps.get_cmap(cmap)
