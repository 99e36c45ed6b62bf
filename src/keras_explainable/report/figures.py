"""Figures of pages: images, maps and overlays, which style sheets colour."""

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from keras_explainable.plotting import clipping
from keras_explainable.report import page_colormaps

_LOSSLESS_SIDE = 160  # pixels: images up to this size are PNG, larger ones JPEG


class Shown(NamedTuple):
    """What is said of a figure: to those who do not see it, and below it."""

    text: str
    caption: str


def figure(kind: str, text: str, caption: str) -> str:
    """Return a figure: an "image", a "map", or an "overlay" of both."""
    layers = "<i></i><i></i>" if kind == "overlay" else "<i></i>"
    return (
        f'<figure class="{kind}"><div role="img" aria-label="{escape(text)}">{layers}'
        f"</div><figcaption>{escape(caption)}</figcaption></figure>"
    )


def map_figures(url: str, kinds: Sequence[str], map_: Shown, overlay: Shown) -> str:
    """Return the figures of a map and of its overlay on the image.

    Args:
        url: Where the map is, in grey, as a value of a style sheet.
        kinds: "signed" if middle grey is zero, "sweep" if there are many maps.
        map_: What is said of the map.
        overlay: What is said of the overlay.
    """
    shown = figure("map", *map_) + figure("overlay", *overlay)
    return (
        f'<div class="{" ".join(["maps", *kinds])}" style="--map:{url}">{shown}</div>'
    )


def grey_map(map_: NDArray[np.float32], signed: bool) -> NDArray[np.uint8]:
    """Return a map (H, W) in grey, with its highest values clipped."""
    return page_colormaps.grey(clipping.clip_highest(map_), signed)


def is_small(pixels: NDArray[Any]) -> bool:
    """Return whether a picture is so small that its pixels are shown as they are."""
    return max(pixels.shape) <= _LOSSLESS_SIDE


def encoded(pixels: NDArray[np.uint8], side: int | None = None) -> tuple[str, bytes]:
    """Return the format and the bytes of a picture: PNG if it is small, else JPEG.

    Args:
        pixels: The picture.
        side: The longest side of what is seen of it at once, if that is not all.
    """
    kind = "png" if (side or max(pixels.shape)) <= _LOSSLESS_SIDE else "jpeg"
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, quality=90, optimize=True)
    return kind, buffer.getvalue()


def data_url(pixels: NDArray[np.uint8], side: int | None = None) -> str:
    """Return a picture as data, as a value of a style sheet; see ``encoded``."""
    kind, data = encoded(pixels, side)
    return f"url(data:image/{kind};base64,{base64.b64encode(data).decode()})"
