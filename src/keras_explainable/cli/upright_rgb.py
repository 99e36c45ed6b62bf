"""Turns images upright, and their pixels into 8-bit RGB."""

import numpy as np
from PIL import ExifTags, Image

# The operation that turns an image with an EXIF orientation upright.
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N")  # more than 8 bits

_STRIP_PIXELS = 1 << 20  # whose colours are converted at once


def upright(image: Image.Image) -> Image.Image:
    """Return an image turned as its EXIF orientation says."""
    # Not `ImageOps.exif_transpose`, which rewrites the EXIF and fails if it is damaged.
    turn = _TRANSPOSITIONS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def rgb(image: Image.Image) -> Image.Image:
    """Return an image in RGB, 8 bits, over white.

    Raises:
        ValueError: If its values have no known range.
    """
    if image.mode == "F":
        raise ValueError("the range of its floating-point pixels is unknown")
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    converted = Image.new("RGB", image.size)
    # In strips, for the intermediate results take several times the memory.
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = image.crop((0, top, image.width, bottom))
        converted.paste(_strip_to_rgb(strip), (0, top))
    return converted


def _strip_to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _DEEP_MODES:
        image = _to_8_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(background, image)
    return image.convert("RGB")


def _to_8_bits(image: Image.Image) -> Image.Image:
    # 65535 / 257 is exactly 255. Pillow often opens 16-bit greys as a 32-bit "I".
    values = np.clip(np.asarray(image).astype("float64"), 0, 65535)
    return Image.fromarray(np.rint(values / 257).astype("uint8"))
