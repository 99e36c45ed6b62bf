"""Reads images for a network: upright, RGB, of its input size and range.

An image goes through ``read`` (from a file to uint8 RGB of the right size) and then
through one of ``PREPROCESSING`` (from 0..255 to the range the model was trained on).
"""

import contextlib
import os
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

#: Suffixes of the files that are collected from folders.
SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm"),
    *(".png", ".ppm", ".tif", ".tiff", ".webp"),
)

#: Longest side in pixels, for models that take images of any size.
LONGEST_SIDE = 512

# Channel means and standard deviations of ImageNet, as published with the models that
# use them: RGB in 0..1 for `torch`, BGR in 0..255 for `caffe`.
_TORCH_MEAN = np.array([0.485, 0.456, 0.406], "float32")
_TORCH_STD = np.array([0.229, 0.224, 0.225], "float32")
_CAFFE_MEAN = np.array([103.939, 116.779, 123.68], "float32")

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

#: Functions from float32 RGB in 0..255, (..., 3), to the range of a model's input.
PREPROCESSING: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda x: x,
    "unit": lambda x: x / np.float32(255),
    "tf": lambda x: x / np.float32(127.5) - np.float32(1),
    "torch": lambda x: (x / np.float32(255) - _TORCH_MEAN) / _TORCH_STD,
    "caffe": lambda x: x[..., ::-1] - _CAFFE_MEAN,
}


def find(
    paths: Iterable[str | os.PathLike[str]], skip: Path | None = None
) -> list[Path]:
    """Return the image files at the given paths; folders are searched recursively.

    Args:
        paths: Files, with any suffix, and folders, from which the files with a suffix
            of ``SUFFIXES`` are taken, sorted and without hidden ones.
        skip: The output folder. Images in it are left out of a search, and passing it
            or a file in it is an error, for the results could replace the file.

    Returns:
        The files in the order given, without duplicates.

    Raises:
        ValueError: If a path does not exist, contains no image, or is in ``skip``.
    """
    found = [file for path in map(Path, paths) for file in _checked_images(path, skip)]
    return list(dict.fromkeys(found))


def read(
    path: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    resizing: str = "crop",
) -> Pixels:
    """Return an image, upright (by EXIF) and in RGB, in a given size.

    Transparent pixels become white, 16-bit values are scaled to 8 bits, and an
    animation is represented by its first frame.

    Args:
        path: A file in any format that Pillow decodes itself.
        size: (height, width) in pixels; ``None`` keeps the image's own size, scaled
            down if a side is longer than ``LONGEST_SIDE``.
        resizing: "crop" resizes the shorter side to fit and crops the longer one at the
            centre; "pad" resizes the longer side and adds black borders; "stretch"
            resizes both sides to fit.

    Returns:
        uint8 (height, width, 3).

    Raises:
        ValueError: If the file is missing, not an image, truncated, or has more
            pixels than can safely be decoded. The message continues a sentence that
            starts with the file's name.
    """
    with _opened(path) as file:
        return _pixels(file, size, resizing)


def check(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if a file is no image, by its first bytes, as ``read`` does."""
    with _opened(path) as file:
        _image(file)


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file; what goes wrong with it is a ValueError with a reason."""
    try:
        # Pillow also warns about unusual files that it can read.
        with (
            warnings.catch_warnings(action="ignore"),
            _regular_file(path).open("rb") as file,
        ):
            yield file
    except (Image.DecompressionBombError, MemoryError):
        raise ValueError("has more pixels than can safely be decoded") from None
    except FileNotFoundError:
        raise ValueError("does not exist") from None
    except PermissionError:
        raise ValueError("cannot be read (permission denied)") from None
    except UnidentifiedImageError:
        raise ValueError("is not an image or has an unknown format") from None
    except Exception as error:  # Damaged files make decoders raise almost anything.
        raise ValueError(f"cannot be read as an image ({_reason(error)})") from error


def preprocess(images: Pixels, kind: str = "none", channels: int = 3) -> Floats:
    """Return RGB images scaled to the range that a model was trained on.

    ==========  =======================================================================
    ``none``    0..255, for models that rescale inside
    ``unit``    0..1
    ``tf``      -1..1
    ``torch``   0..1, minus ImageNet's channel means, divided by the standard deviations
    ``caffe``   BGR in 0..255, minus ImageNet's channel means
    ==========  =======================================================================

    Args:
        images: uint8 RGB, shape (..., 3).
        kind: One of the above.
        channels: 3, or 1 for models of grey images.

    Returns:
        float32 (..., channels).

    Raises:
        ValueError: If ``kind`` is unknown, or needs colours and ``channels`` is 1.
    """
    if kind not in PREPROCESSING:
        known = ", ".join(PREPROCESSING)
        raise ValueError(f"`preprocess` must be one of {known}; received {kind!r}.")
    if channels == 1 and kind in ("torch", "caffe"):
        raise ValueError(
            f"`preprocess` must be none, unit or tf for a model with one channel; "
            f"received {kind!r}."
        )
    floats = images.astype("float32")
    return PREPROCESSING[kind](_luma(floats) if channels == 1 else floats)


def _is_inside(path: Path, folder: Path) -> bool:
    # Not `Path.resolve`, which fails for a link to itself.
    real = Path(os.path.realpath(path))
    return real.is_relative_to(os.path.realpath(folder))


def _checked_images(path: Path, skip: Path | None) -> list[Path]:
    try:
        if skip and skip.is_dir() and _is_inside(path, skip):
            raise ValueError(f"{path} is in the output folder; choose another --out.")
        return _image_files(path, skip)
    except OSError as error:  # For example, a name that is too long.
        raise ValueError(f"{path} cannot be found ({error.strerror}).") from error


def _image_files(path: Path, skip: Path | None) -> list[Path]:
    if not path.is_dir():
        if not path.is_file():  # Reading a pipe or a device might never end.
            raise ValueError(f"{path} does not exist or is no file or folder.")
        return [path]
    found = sorted(x for x in _walk(path) if not (skip and _is_inside(x, skip)))
    if not found:
        suffixes = ", ".join(SUFFIXES)
        raise ValueError(f"{path} is a folder without images ({suffixes}).")
    return found


def _walk(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(here, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES:
                yield path


def _regular_file(path: str | os.PathLike[str]) -> Path:
    """Return the path of a file; reading a pipe or a device might never end."""
    file = Path(path)
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("not a regular file")
    return file


def _reason(error: Exception) -> str:
    # Not the text of an `OSError`, which contains the full path.
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    return " ".join(text.split())[:200] or type(error).__name__


def _image(file: BinaryIO) -> Image.Image:
    """Return the image in an open file, of which only the header is read."""
    image: Image.Image = Image.open(file)
    if image.format == "EPS":  # A program, which Pillow would run in Ghostscript.
        raise UnidentifiedImageError
    return image


def _pixels(file: BinaryIO, size: tuple[int, int] | None, resizing: str) -> Pixels:
    """Return the pixels of an open file, with at most two full copies in memory."""
    image = _image(file)
    image.load()
    image = _to_upright(image)
    image = _to_rgb(image)
    return np.array(_resized(image, size, resizing))


def _to_upright(image: Image.Image) -> Image.Image:
    # Not `ImageOps.exif_transpose`, which rewrites the EXIF and fails if it is damaged.
    turn = _TRANSPOSITIONS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _to_rgb(image: Image.Image) -> Image.Image:
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


def _resized(
    image: Image.Image, size: tuple[int, int] | None, resizing: str
) -> Image.Image:
    if size is None:
        return _scaled(image, min(1, LONGEST_SIDE / max(image.size)))
    if resizing == "stretch":
        return image.resize(size[::-1], Image.Resampling.BILINEAR)
    if resizing == "pad":
        return _padded(image, size)
    # `fit` crops first, to fractions of a pixel, and then resizes: the result is
    # the same, without a huge intermediate image for a strip of 1 x 5000 pixels.
    return ImageOps.fit(image, size[::-1], Image.Resampling.BILINEAR)


def _padded(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    height, width = size
    inner = _scaled(image, min(width / image.width, height / image.height))
    canvas = Image.new("RGB", (width, height))
    canvas.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return canvas


def _scaled(image: Image.Image, scale: float) -> Image.Image:
    width, height = (max(1, round(side * scale)) for side in image.size)
    if (width, height) == image.size:
        return image
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _luma(rgb: Floats) -> Floats:
    weights = np.array([0.299, 0.587, 0.114], "float32")  # ITU-R 601, as Pillow's "L"
    return (rgb @ weights)[..., None]
