"""Overlays as arrays and as files."""

import os
from typing import Any, Literal

import numpy as np

from keras_explainable.common.optional_packages import require
from keras_explainable.plotting import clipping, colormaps, picture_output
from keras_explainable.plotting.colormaps import Pixels
from keras_explainable.plotting.seen_part import SeenPart, put_back

_QUALITY = 95  # of JPEG and WebP


def overlay(
    image: Any,
    map_: Any,
    *,
    size: Literal["original"] | tuple[int, int] = "original",
    alpha: float = 0.75,
    cmap: Any = None,
    percentile: float = clipping.PERCENTILE,
    seen: tuple[float, float, float, float] = (0, 0, 1, 1),
) -> Pixels:
    """Return an image overlaid with a map in colours, at the image's own resolution.

    The opacity of the map is proportional to its magnitude: 0 where the map is zero,
    ``alpha`` where it is largest. The map may be much smaller than the image. If the
    image was cropped or padded for the model, ``seen`` says how, and the map is put
    back to where it belongs::

        photo = Image.open("photo.jpg")                # 1200 x 800 pixels
        x = np.asarray(photo.crop((200, 0, 1000, 800)).resize((224, 224)))
        _, maps = ke.smoothgrad(model, x)
        ke.utils.overlay(photo, maps[0], seen=(200 / 1200, 0, 1000 / 1200, 1))

    Args:
        image: A PIL image, or an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of
            values in 0..1 or 0..255, or in another range, which is scaled to it.
        map_: A map (h, w) or (h, w, 1), of any size.
        size: "original" for the size of the image, or (height, width), to which the
            image is resized.
        alpha: The opacity where the map is largest, 0..1.
        cmap: A matplotlib colour map or its name. The default is ``"inferno"``, or
            ``"coolwarm"`` for a map with negative values.
        percentile: Percentile of the map's magnitude at which it is clipped, as a few
            pixels of a gradient map are far larger than the others; 100 clips nothing.
        seen: The part of the image that filled the model's input: (left, top, right,
            bottom) as fractions of its width and height. Padding is outside of 0..1.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: If a value is not as described.
        ImportError: If matplotlib or Pillow is not installed.
    """
    clipping.check(percentile)
    part = _checked_part(seen)
    background = _sized(colormaps.to_rgb(image), size)
    values = clipping.clip_highest(colormaps.single_map(map_), percentile)
    finite = np.nan_to_num(values, posinf=0, neginf=0)
    placed = put_back(finite, part, (background.shape[0], background.shape[1]))
    return colormaps.overlay(background, placed, alpha, cmap)


def save_overlay(
    path: str | os.PathLike[str],
    image: Any,
    map_: Any,
    *,
    size: Literal["original"] | tuple[int, int] = "original",
    alpha: float = 0.75,
    cmap: Any = None,
    percentile: float = clipping.PERCENTILE,
    seen: tuple[float, float, float, float] = (0, 0, 1, 1),
) -> None:
    """Write an image overlaid with a map in colours, at the image's own resolution.

    Args:
        path: Path of the file, in the format of its suffix: .png, .jpg, .webp, ...
        image: As in ``overlay``.
        map_: As in ``overlay``.
        size: As in ``overlay``.
        alpha: As in ``overlay``.
        cmap: As in ``overlay``.
        percentile: As in ``overlay``.
        seen: As in ``overlay``.

    Raises:
        ValueError: If a parameter is not as in ``overlay``, or the suffix is unknown.
        FileNotFoundError: If the folder of ``path`` does not exist.
        ImportError: If matplotlib or Pillow is not installed.
    """
    pil = require("PIL.Image")
    file = picture_output.writable(path, "path")
    if file.suffix.lower() not in pil.registered_extensions():
        raise ValueError(
            "`path` must end in the suffix of a picture, such as .png; "
            f"received {str(path)!r}."
        )
    drawn = overlay(
        image,
        map_,
        size=size,
        alpha=alpha,
        cmap=cmap,
        percentile=percentile,
        seen=seen,
    )
    pil.fromarray(drawn).save(file, quality=_QUALITY)


def _checked_part(seen: tuple[float, float, float, float]) -> SeenPart:
    part = SeenPart(*map(float, seen))
    ordered = part.left < part.right and part.top < part.bottom
    if not (ordered and part.fraction > 0):
        raise ValueError(
            "`seen` must be (left, top, right, bottom) as fractions of the image, such "
            f"as (0, 0, 1, 1) for all of it; received {seen!r}."
        )
    return part


def _sized(pixels: Pixels, size: Any) -> Pixels:
    if isinstance(size, str) and size == "original":
        return pixels
    valid = isinstance(size, tuple | list) and len(size) == 2
    if not (valid and all(isinstance(n, int) and n > 0 for n in size)):
        raise ValueError(
            f'`size` must be "original" or (height, width); received {size!r}.'
        )
    pil = require("PIL.Image")
    image = pil.fromarray(pixels).resize(size[::-1], pil.Resampling.BICUBIC)
    return np.asarray(image)
