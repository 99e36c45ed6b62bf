"""One picture per explanation: image, map and overlay side by side."""

from __future__ import annotations

import functools
import pathlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from keras_explainable.plotting import colormaps
from keras_explainable.report.explanation_records import METHODS, Explanation, Maps

__all__ = ["clipped", "enlarged", "panel", "views"]

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

_CAPTIONS = ("image", "map", "overlay")

_BRIGHTEST = 99  # percentile of a map from where on its colour is the brightest
_COVER = 0.95  # share of the map in the overlay where it is brightest
_MUTED = 0.6  # brightness of the image below

_TILE = 320  # pixels: smaller pictures are enlarged to at least this
_GAP = 16
_INK, _GREY, _PAPER = "#1b1b1f", "#6b6b76", "#ffffff"


def views(image: Pixels, map_: Floats) -> tuple[Pixels, Pixels, Pixels]:
    """Return the image, the map, and both on top of each other, as uint8 RGB.

    The brightest percent of the map is shown alike: else a single pixel would leave
    the rest in the dark. Under the map the image is muted, so that the map stands out.

    Args:
        image: (H, W, 3).
        map_: (H, W).
    """
    map_ = clipped(map_)
    return (
        image,
        colormaps.colorize(map_),
        colormaps.overlay(_muted(image), map_, _COVER),
    )


def clipped(map_: Floats) -> Floats:
    """Return a map whose brightest percent is alike."""
    magnitude = np.abs(map_)
    # A sparse map, with less than one percent of it above zero, is shown as it is.
    limit = np.percentile(magnitude, _BRIGHTEST) or magnitude.max()
    return np.clip(map_, -limit, limit)


def _muted(image: Pixels) -> Pixels:
    grey = image.mean(axis=-1, keepdims=True)
    return np.rint(_MUTED * (0.35 * image + 0.65 * grey)).astype("uint8")


def enlarged(pixels: Pixels, side: int = _TILE) -> Image.Image:
    """Return a picture whose longer side has at least ``side`` pixels.

    Whole steps without blending: small pictures stay crisp, every pixel is seen.
    """
    image = Image.fromarray(pixels)
    factor = -(-side // max(image.size))
    size = (image.width * factor, image.height * factor)
    return image.resize(size, Image.Resampling.NEAREST) if factor > 1 else image


def panel(explanation: Explanation) -> Image.Image:
    """Return image, map and overlay side by side, a row for each class and method.

    Each row is headed by the class with its score, and the method if there are several;
    the first one by the picture's name, too.
    """
    rows = [
        _row(explanation, number, maps)
        for number in range(len(explanation.explained))
        for maps in explanation.maps
    ]
    width = rows[0].width
    head = _text_line(explanation.name, width, 15, _GREY)
    parts = [head, *rows]
    canvas = Image.new("RGB", (width, sum(part.height for part in parts)), _PAPER)
    top = 0
    for part in parts:
        canvas.paste(part, (0, top))
        top += part.height
    return canvas


def _row(explanation: Explanation, number: int, maps: Maps) -> Image.Image:
    shown = views(explanation.image, maps.values[..., number])
    tiles = [enlarged(pixels) for pixels in shown]
    wide, high = tiles[0].size
    class_ = explanation.explained[number]
    canvas_width = _GAP + len(tiles) * (wide + _GAP)
    words = [class_.label, class_.shown]
    if len(explanation.maps) > 1:
        words.append(METHODS.get(maps.method, maps.method))
    title = _text_line("   ".join(words), canvas_width, 22, _INK)
    canvas = Image.new("RGB", (canvas_width, title.height + high + 2 * _GAP), _PAPER)
    canvas.paste(title, (0, 0))
    for place, (tile, caption) in enumerate(zip(tiles, _CAPTIONS, strict=True)):
        left = _GAP + place * (wide + _GAP)
        canvas.paste(tile, (left, title.height))
        caption_line = _text_line(caption, wide, 13, _GREY, margin=0)
        canvas.paste(caption_line, (left, title.height + high))
    return canvas


def _text_line(
    text: str, width: int, size: int, color: str, margin: int = _GAP
) -> Image.Image:
    """Return one line of text on paper, shortened to fit."""
    font = _font(size)
    room = width - 2 * margin
    if font.getlength(text) > room:
        while text and font.getlength(f"{text}…") > room:
            text = text[:-1]
        text += "…"
    line = Image.new("RGB", (width, round(size * 1.9)), _PAPER)
    middle = (margin, line.height / 2)
    ImageDraw.Draw(line).text(middle, text, fill=color, font=font, anchor="lm")
    return line


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    # The one font that is surely there, with more alphabets than Pillow's own.
    folder = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    return ImageFont.truetype(folder / "DejaVuSans.ttf", size)
