"""Converts images and maps to 8-bit RGB.

Zero has the same colour in every map of a kind: maps without negative values use
``SEQUENTIAL`` from 0 to the maximum, maps with negative values use ``DIVERGING`` from
minus to plus the largest magnitude. Both colour maps are perceptually uniform: equal
steps of the map look equally large.
"""

from typing import Any, NamedTuple, Self

import keras
import numpy as np
from numpy.typing import NDArray

from keras_explainable.common.optional_packages import require
from keras_explainable.plotting import image_range

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

#: Names of the default colour maps.
SEQUENTIAL = "inferno"
DIVERGING = "coolwarm"

#: Colour of NaN and infinity, in neither colour map.
MISSING = (128, 128, 128)

#: Opacity of a map where it is largest, above an image that is dimmed.
ALPHA_ABOVE_DIMMED = 0.95

_DIMMED = 0.6  # Brightness of a dimmed image

_STRIP_PIXELS = 1 << 20  # that are blended at once


class Scale(NamedTuple):
    """What the ends of a colour map stand for.

    Attributes:
        limit: Magnitude with the strongest colour; 0 if there is nothing but zeros.
        signed: Whether the colour map starts at -limit, or else at 0.
    """

    limit: float
    signed: bool

    @classmethod
    def of(cls, values: Floats) -> Self:
        """Return the scale of values, of which NaN and infinity do not count."""
        finite = values[np.isfinite(values)]
        limit = float(np.abs(finite).max()) if finite.size else 0.0
        return cls(limit, bool((finite < 0).any()))

    def unit(self, values: Floats) -> Floats:
        """Return values divided by the limit; NaN and infinity become 0."""
        finite = np.where(np.isfinite(values), values, 0)
        return np.clip(finite / self.limit, -1, 1) if self.limit > 0 else 0 * finite


def to_rgb(image: Any) -> Pixels:
    """Return an image as 8-bit RGB, (H, W, 3).

    Integers above 1 are in the range 0..255. Floats are in 0..1 or in 0..255, or are
    scaled to it, as ``image_range`` says. Transparent pixels become white.

    Args:
        image: A PIL image, or an array of any real dtype: grey (H, W) or (H, W, 1),
            RGB (H, W, 3) or RGBA (H, W, 4).

    Returns:
        uint8 (H, W, 3), a copy.

    Raises:
        ValueError: If the shape is none of these.
    """
    array = to_numpy(image)
    pixels = image_range.range_of([array]).to_bytes(array)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[-1] not in (1, 3, 4) or not pixels.size:
        raise ValueError(
            "`image` must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4); "
            f"received shape {np.shape(image)}. "
            '`visualize` draws signals with kind="signal", tables with kind="table".'
        )
    if pixels.shape[-1] == 4:
        return _blend(255, pixels[..., :3], pixels[..., 3:] / 255)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3)).copy()


def colorize(map_: Any, cmap: Any = None, scale: Scale | None = None) -> Pixels:
    """Return a map in colours, (H, W, 3).

    The limits are 0 and max if no value is negative, else -max |value| and max |value|.
    NaN and infinity are drawn in middle grey and do not affect the limits.

    Args:
        map_: An array (H, W) or (H, W, 1).
        cmap: A matplotlib colour map or its name; ``None`` for ``SEQUENTIAL``, or
            ``DIVERGING`` if there are negative values.
        scale: Other limits than those of the map itself.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: If ``map_`` is not a single map, or ``cmap`` is unknown.
        ImportError: If matplotlib is not installed.
    """
    values = single_map(map_)
    scale = scale or Scale.of(values)
    unit = scale.unit(values)
    name = cmap or (DIVERGING if scale.signed else SEQUENTIAL)
    chosen = require("matplotlib").colormaps.get_cmap(name)
    places = (unit + 1) / 2 if scale.signed else unit
    # From a table, which is ten times as fast as a call for each value.
    table = chosen(np.arange(chosen.N), bytes=True)[:, :3]
    steps = np.clip(places * chosen.N, 0, chosen.N - 1).astype("int32")
    colors: Pixels = table[steps]
    colors[~np.isfinite(values)] = MISSING
    return colors


def overlay(
    image: Any,
    map_: Any,
    alpha: float = 0.75,
    cmap: Any = None,
    scale: Scale | None = None,
) -> Pixels:
    """Return an image overlaid with a map in colours, (H, W, 3).

    The opacity of the map is proportional to its magnitude: 0 where the map is zero,
    ``alpha`` where its magnitude is largest.

    Args:
        image: As in ``to_rgb``.
        map_: As in ``colorize``; resized to the image if their sizes differ.
        alpha: The opacity where the map is largest, 0..1.
        cmap: As in ``colorize``.
        scale: As in ``colorize``.

    Returns:
        uint8 (H, W, 3), of the image's size.

    Raises:
        ValueError: If ``image``, ``map_``, ``alpha`` or ``cmap`` is not as described.
        ImportError: If matplotlib or Pillow is not installed.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"`alpha` must be in 0..1; received {alpha!r}.")
    background = to_rgb(image)
    values = resize(single_map(map_), background.shape[:2])
    scale = scale or Scale.of(values)
    # In strips, for the floats of a large photo would take a gigabyte.
    rows = max(1, _STRIP_PIXELS // background.shape[1])
    for top in range(0, len(values), rows):
        strip = slice(top, top + rows)
        opacity = alpha * np.abs(scale.unit(values[strip]))[..., None]
        colors = colorize(values[strip], cmap, scale)
        background[strip] = _blend(background[strip], colors, opacity)
    return background


def dim(image: Any) -> Pixels:
    """Return an image darkened and almost grey, so that a map above it stands out."""
    pixels = to_rgb(image)
    grey = pixels.mean(axis=-1, keepdims=True)
    return np.rint(_DIMMED * (0.35 * pixels + 0.65 * grey)).astype("uint8")


def single_map(map_: Any) -> Floats:
    """Return one map as float32 (H, W), without an axis of one unit."""
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
    if array.dtype.name == "bfloat16":  # Not a native NumPy type.
        array = array.astype("float32")
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"images and maps must be real numbers; received {array.dtype}."
        )
    return array


def _blend(background: Any, foreground: Pixels, opacity: Any) -> Pixels:
    mixed = background * (1 - opacity) + foreground * opacity
    return np.rint(mixed).astype("uint8")


def resize(values: Floats, size: tuple[int, ...]) -> Floats:
    """Return a map (H, W) resized smoothly."""
    if values.shape == size:
        return values
    pil = require("PIL.Image")
    resized = pil.fromarray(values).resize(size[::-1], pil.Resampling.BILINEAR)
    return np.asarray(resized)
