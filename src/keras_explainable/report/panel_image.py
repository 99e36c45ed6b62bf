"""A PNG panel per explanation: image, map and overlay side by side."""

import functools
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_explainable.plotting import clipping, colormaps
from keras_explainable.plotting.colormaps import Floats, Pixels
from keras_explainable.report.explanation_records import METHODS, Explanation, Maps

_CAPTIONS = ("image", "map", "overlay")

_OVERLAY_ALPHA = 0.95  # opacity of the overlay where the map is largest
_DIMMED = 0.6  # brightness of the image below the overlay

_TILE = 320  # pixels: smaller images are enlarged to at least this
_GAP = 16
_BLACK, _GREY, _WHITE = "#1b1b1f", "#6b6b76", "#ffffff"


def tiles(image: Pixels, map_: Floats) -> tuple[Pixels, Pixels, Pixels]:
    """Return the image, the map and the overlay of both as uint8 RGB.

    The highest 1 % of the map's values are clipped, or a single pixel could leave the
    rest dark. In the overlay the image is dimmed, so that the map stands out.

    Args:
        image: uint8 RGB (H, W, 3).
        map_: A map (H, W).
    """
    map_ = clipping.clip_highest(map_)
    overlay = colormaps.overlay(_dim(image), map_, _OVERLAY_ALPHA)
    return image, colormaps.colorize(map_), overlay


def _dim(image: Pixels) -> Pixels:
    grey = image.mean(axis=-1, keepdims=True)
    return np.rint(_DIMMED * (0.35 * image + 0.65 * grey)).astype("uint8")


def enlarge(pixels: Pixels, side: int = _TILE) -> Image.Image:
    """Return an image whose longer side has at least ``side`` pixels.

    It is enlarged by a whole factor without interpolation, so every pixel stays sharp.
    """
    image = Image.fromarray(pixels)
    factor = -(-side // max(image.size))
    size = (image.width * factor, image.height * factor)
    return image.resize(size, Image.Resampling.NEAREST) if factor > 1 else image


def panel(explanation: Explanation) -> Image.Image:
    """Return image, map and overlay side by side, one row per class and method.

    The title is the image's name. A row's title is the class with its score, and the
    method if there are several.
    """
    rows = [
        _row(explanation, number, maps)
        for number in range(len(explanation.explained))
        for maps in explanation.maps
    ]
    width = rows[0].width
    title = _text_line(explanation.name, width, 15, _GREY)
    strips = [title, *rows]
    canvas = Image.new("RGB", (width, sum(strip.height for strip in strips)), _WHITE)
    top = 0
    for strip in strips:
        canvas.paste(strip, (0, top))
        top += strip.height
    return canvas


def _row(explanation: Explanation, number: int, maps: Maps) -> Image.Image:
    shown = tiles(explanation.image, maps.values[..., number])
    large = [enlarge(pixels) for pixels in shown]
    wide, high = large[0].size
    class_ = explanation.explained[number]
    canvas_width = _GAP + len(large) * (wide + _GAP)
    words = [class_.label, class_.score_text]
    if len(explanation.maps) > 1:
        words.append(METHODS[maps.method])
    title = _text_line("   ".join(words), canvas_width, 22, _BLACK)
    canvas = Image.new("RGB", (canvas_width, title.height + high + 2 * _GAP), _WHITE)
    canvas.paste(title, (0, 0))
    for place, (tile, caption) in enumerate(zip(large, _CAPTIONS, strict=True)):
        left = _GAP + place * (wide + _GAP)
        canvas.paste(tile, (left, title.height))
        caption_line = _text_line(caption, wide, 13, _GREY, margin=0)
        canvas.paste(caption_line, (left, title.height + high))
    return canvas


def _text_line(
    text: str, width: int, size: int, color: str, margin: int = _GAP
) -> Image.Image:
    """Return an image of one line of text, shortened to fit the width."""
    font = _font(size)
    room = width - 2 * margin
    if font.getlength(text) > room:
        while text and font.getlength(f"{text}…") > room:
            text = text[:-1]
        text += "…"
    line = Image.new("RGB", (width, round(size * 1.9)), _WHITE)
    middle = (margin, line.height / 2)
    ImageDraw.Draw(line).text(middle, text, fill=color, font=font, anchor="lm")
    return line


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    import matplotlib

    # Comes with matplotlib, and covers more alphabets than Pillow's own font.
    folder = pathlib.Path(matplotlib.get_data_path(), "fonts", "ttf")
    return ImageFont.truetype(folder / "DejaVuSans.ttf", size)
