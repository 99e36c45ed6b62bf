"""A PNG panel per explanation: image, map and overlay side by side."""

import functools
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from keras_explainable.plotting import clipping, colormaps
from keras_explainable.plotting.colormaps import Floats, Pixels
from keras_explainable.plotting.seen_part import WHOLE, SeenPart, put_back
from keras_explainable.report.explanation_records import METHODS, Explanation, Maps

_UNSEEN = 0.35  # brightness of what the network did not see

_TILE = 320  # pixels: smaller images are enlarged to at least this
_GAP = 16
_BLACK, _GREY, _WHITE = "#1b1b1f", "#6b6b76", "#ffffff"


def tiles(
    image: Pixels, map_: Floats, seen: SeenPart = WHOLE
) -> tuple[Pixels, Pixels, Pixels]:
    """Return the image, the map and the overlay of both as uint8 RGB.

    The highest 1 % of the map's values are clipped, or a single pixel could leave the
    rest dark. In the overlay the image is dimmed, so that the map stands out. What the
    network did not see of the image is darkened, and grey in the map.

    Args:
        image: uint8 RGB (H, W, 3).
        map_: A map (h, w) of the network's input.
        seen: The part of the image that the network saw.
    """
    image = _as_fine(image, map_, seen)
    map_ = clipping.clip_highest(map_)
    scale = colormaps.Scale.of(map_)
    placed = put_back(map_, seen, (image.shape[0], image.shape[1]))
    dimmed, alpha = colormaps.dim(image), colormaps.ALPHA_ABOVE_DIMMED
    overlay = colormaps.overlay(dimmed, placed, alpha, scale=scale)
    colored = colormaps.colorize(placed, scale=scale)
    return _framed(image, seen), colored, _framed(overlay, seen)


def _as_fine(image: Pixels, map_: Floats, seen: SeenPart) -> Pixels:
    """Return an image enlarged by a whole factor, if the map has smaller pixels."""
    rows, columns = seen.pixels((image.shape[0], image.shape[1]))
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    factor = max(map_.shape[0] // high, map_.shape[1] // wide, 1)
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def _framed(image: Pixels, seen: SeenPart) -> Pixels:
    """Return an image with a frame around what was seen; the rest is darkened."""
    if seen.is_whole:
        return image
    rows, columns = seen.pixels((image.shape[0], image.shape[1]))
    framed: Pixels = np.rint(_UNSEEN * image).astype("uint8")
    framed[rows, columns] = 255
    line = max(1, max(image.shape) // _TILE)
    inside = (
        slice(rows.start + line, rows.stop - line),
        slice(columns.start + line, columns.stop - line),
    )
    framed[inside] = image[inside]
    return framed


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
    map_ = maps.values[..., number]
    shown = tiles(explanation.shown, map_, explanation.seen)
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
    for place, (tile, caption) in enumerate(
        zip(large, _captions(explanation), strict=True)
    ):
        left = _GAP + place * (wide + _GAP)
        canvas.paste(tile, (left, title.height))
        caption_line = _text_line(caption, wide, 13, _GREY, margin=0)
        canvas.paste(caption_line, (left, title.height + high))
    return canvas


def _captions(explanation: Explanation) -> tuple[str, str, str]:
    if not (part := explanation.part_text):
        return "image", "map", "overlay"
    return f"image; {part}", "map; grey is what it did not see", "overlay"


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
    return ImageFont.truetype(str(folder / "DejaVuSans.ttf"), size)  # Pillow 10.1
