"""Reading pictures as a network wants them: upright, RGB, its size, its range.

A picture goes through ``read`` (a file to uint8 RGB of the right size) and then
through one of ``PREPROCESSING`` (0..255 to the range a model was trained on).
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import stat
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

__all__ = ["LONGEST_SIDE", "PREPROCESSING", "SUFFIXES", "find", "preprocess", "read"]

Pixels = NDArray[np.uint8]

#: Endings of the files that are picked up in folders.
SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".pgm"),
    *(".png", ".ppm", ".tif", ".tiff", ".webp"),
)

#: Pixels along the longer side at most, where a model takes pictures of any size.
LONGEST_SIDE = 512

# Channel means and deviations of ImageNet, as published with the models that use
# them: RGB in 0..1 for `torch`, BGR in 0..255 for `caffe`.
_TORCH_MEAN = np.array([0.485, 0.456, 0.406], "float32")
_TORCH_STD = np.array([0.229, 0.224, 0.225], "float32")
_CAFFE_MEAN = np.array([103.939, 116.779, 123.68], "float32")

# What makes a picture upright that was stored with an EXIF orientation.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_MANY_BITS = ("I", "I;16", "I;16L", "I;16B", "I;16N")

_STRIP = 1 << 20  # pixels whose colours are converted at once

#: From float32 RGB in 0..255, (..., 3), to the range a model was trained on.
PREPROCESSING: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "none": lambda x: x,
    "unit": lambda x: x / np.float32(255),
    "tf": lambda x: x / np.float32(127.5) - np.float32(1),
    "torch": lambda x: (x / np.float32(255) - _TORCH_MEAN) / _TORCH_STD,
    "caffe": lambda x: x[..., ::-1] - _CAFFE_MEAN,
}


def find(
    paths: Iterable[str | os.PathLike[str]], skip: pathlib.Path
) -> list[pathlib.Path]:
    """List the picture files that the paths name; folders are searched whole.

    Args:
        paths: files, taken whatever their ending, and folders, in which files
            with an ending of ``SUFFIXES`` are taken, sorted, hidden ones left out.
        skip: the folder results go to; pictures below it are left out, and
            naming it, or a file in it, is an error: results could replace it.

    Returns:
        The files in the order given, each once.

    Raises:
        ValueError: if a path does not exist, holds no picture, or is in ``skip``.
    """
    found: dict[pathlib.Path, None] = {}
    for path in map(pathlib.Path, paths):
        found.update(dict.fromkeys(_listed(path, skip)))
    return list(found)


def read(path: str | os.PathLike[str], size: tuple[int, int] | None = None) -> Pixels:
    """Read a picture upright (by EXIF), in RGB, scaled and cropped to a size.

    The shorter side is scaled to fit and the longer one is cropped at the centre.
    Transparent parts become white, 16-bit values are scaled to 8 bits, and of an
    animation the first frame is taken.

    Args:
        path: a file of any kind Pillow reads by itself.
        size: (height, width) in pixels; ``None`` keeps the picture's own, scaled
            down to ``LONGEST_SIDE`` where it is longer.

    Returns:
        uint8 (height, width, 3).

    Raises:
        ValueError: in one sentence, if the file is missing, no picture, truncated,
            or has more pixels than is safe to unpack.
    """
    try:
        with _quiet(), _regular(path).open("rb") as file:
            return _pixels(file, size)
    except (Image.DecompressionBombError, MemoryError):
        raise ValueError("has more pixels than is safe to unpack") from None
    except FileNotFoundError:
        raise ValueError("does not exist") from None
    except PermissionError:
        raise ValueError("may not be read (permission denied)") from None
    except UnidentifiedImageError:
        raise ValueError("is not a picture, or of an unknown kind") from None
    except Exception as error:  # Damaged files make decoders raise almost anything.
        raise ValueError(f"cannot be read as a picture ({_reason(error)})") from error


def preprocess(
    images: Pixels, kind: str = "none", channels: int = 3
) -> NDArray[np.float32]:
    """Scale RGB pictures to what a model was trained on.

    ==========  ==============================================================
    ``none``    0..255, for models that rescale inside
    ``unit``    0..1
    ``tf``      -1..1
    ``torch``   0..1, less ImageNet's channel means, over their deviations
    ``caffe``   blue, green, red in 0..255, less ImageNet's channel means
    ==========  ==============================================================

    Args:
        images: uint8 RGB, (..., 3).
        kind: one of the above.
        channels: 3, or 1 for models that take brightness only.

    Returns:
        float32 (..., channels).

    Raises:
        ValueError: if ``kind`` is unknown, or needs colours and there are none.
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
    return PREPROCESSING[kind](_brightness(floats) if channels == 1 else floats)


def _inside(path: pathlib.Path, folder: pathlib.Path) -> bool:
    # Not `Path.resolve`: a link to itself makes that fail.
    real = pathlib.Path(os.path.realpath(path))
    return real.is_relative_to(os.path.realpath(folder))


def _listed(path: pathlib.Path, skip: pathlib.Path) -> list[pathlib.Path]:
    try:
        if skip.is_dir() and _inside(path, skip):
            raise ValueError(f"{path} is in the output folder; choose another --out.")
        return _pictures(path, skip)
    except OSError as error:  # A name too long to look it up, say.
        raise ValueError(f"{path} cannot be found ({error.strerror}).") from error


def _pictures(path: pathlib.Path, skip: pathlib.Path) -> list[pathlib.Path]:
    if not path.is_dir():
        if not path.is_file():  # A pipe or a device could be read for ever.
            raise ValueError(f"{path} does not exist, or is no file and no folder.")
        return [path]
    found = sorted(file for file in _walk(path) if not _inside(file, skip))
    if not found:
        kinds = ", ".join(SUFFIXES)
        raise ValueError(f"{path} is a folder without images ({kinds}).")
    return found


def _walk(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = pathlib.Path(here, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES:
                yield path


def _regular(path: str | os.PathLike[str]) -> pathlib.Path:
    """Return the path of a file; a pipe or a device could be read for ever."""
    file = pathlib.Path(path)
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("it is no file")
    return file


def _reason(error: Exception) -> str:
    # The text of an `OSError` has the path in it, the whole way to it.
    said = (isinstance(error, OSError) and error.strerror) or str(error)
    return " ".join(said.split())[:200] or type(error).__name__


def _pixels(file: BinaryIO, size: tuple[int, int] | None) -> Pixels:
    """Read an open file; at most two pictures of its size are held at a time."""
    image: Image.Image = Image.open(file)
    if image.format == "EPS":  # A program, which Pillow has another program run.
        raise UnidentifiedImageError
    image.load()
    image = _upright(image)
    image = _rgb(image)
    return np.array(_fit(image, size))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Pillow's remarks about odd but readable files from the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _upright(image: Image.Image) -> Image.Image:
    # `ImageOps.exif_transpose` also writes new EXIF, and fails where it is damaged.
    turn = _TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("it holds floating-point pixels of unknown range")
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    whole = Image.new("RGB", image.size)
    # In strips, for large pictures: what lies between takes several times the memory.
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        strip = image.crop((0, top, image.width, bottom))
        whole.paste(_strip_to_rgb(strip), (0, top))
    return whole


def _strip_to_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _MANY_BITS:
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image)
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    # 65535 / 257 is 255 exactly. A 32-bit "I" is how 16-bit greys often arrive.
    values = np.clip(np.asarray(image).astype("float64"), 0, 65535)
    return Image.fromarray(np.rint(values / 257).astype("uint8"))


def _fit(image: Image.Image, size: tuple[int, int] | None) -> Image.Image:
    if size is not None:
        # Crops first, in fractions of a pixel, then scales: the same picture as the
        # other way round, without the huge one that a 1 x 5000 strip would become.
        return ImageOps.fit(image, size[::-1], Image.Resampling.BILINEAR)
    scale = LONGEST_SIDE / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BILINEAR)


def _brightness(rgb: NDArray[np.float32]) -> NDArray[np.float32]:
    weights = np.array([0.299, 0.587, 0.114], "float32")  # ITU-R 601, as Pillow's "L"
    return (rgb @ weights)[..., None]
