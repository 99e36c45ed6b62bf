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
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from keras_explainable.cli import fit_images, upright_rgb
from keras_explainable.common.image_suffixes import SUFFIXES
from keras_explainable.plotting.seen_part import WHOLE, SeenPart

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]

#: Longest side in pixels of the pictures that a report shows. A report has some hundred
#: of them, and a page shows them about 300 pixels wide, which is 600 on fine screens.
LONGEST_SHOWN = 512

# Channel means and standard deviations of ImageNet, as published with the models that
# use them: RGB in 0..1 for `torch`, BGR in 0..255 for `caffe`.
_TORCH_MEAN = np.array([0.485, 0.456, 0.406], "float32")
_TORCH_STD = np.array([0.229, 0.224, 0.225], "float32")
_CAFFE_MEAN = np.array([103.939, 116.779, 123.68], "float32")

#: Functions from float32 RGB in 0..255, (..., 3), to the range of a model's input.
PREPROCESSING: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda x: x,
    "unit": lambda x: x / np.float32(255),
    "tf": lambda x: x / np.float32(127.5) - np.float32(1),
    "torch": lambda x: (x / np.float32(255) - _TORCH_MEAN) / _TORCH_STD,
    "caffe": lambda x: x[..., ::-1] - _CAFFE_MEAN,
}


class ReadImage(NamedTuple):
    """An image that was read.

    Attributes:
        pixels: What the model receives, before preprocessing: uint8 RGB (H, W, 3).
        picture: The whole picture, uint8 RGB, with sides of at most ``LONGEST_SHOWN``.
        seen: The part of the picture that ``pixels`` shows.
    """

    pixels: Pixels
    picture: Pixels
    seen: SeenPart = WHOLE


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
            down if a side is longer than 512 pixels.
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
    with opened(path) as file:
        return np.array(fit_images.fitted(_upright_rgb(file), size, resizing))


def read_with_picture(
    path: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    resizing: str = "crop",
) -> ReadImage:
    """Return an image as ``read`` does, together with the whole picture to show."""
    with opened(path) as file:
        image = _upright_rgb(file)
        return ReadImage(
            np.array(fit_images.fitted(image, size, resizing)),
            np.array(fit_images.shrunk(image, LONGEST_SHOWN)),
            fit_images.seen_part(image, size, resizing),
        )


def check(path: str | os.PathLike[str]) -> None:
    """Raise ValueError if a file is no image, by its first bytes, as ``read`` does."""
    with opened(path) as file:
        opened_image(file)


@contextlib.contextmanager
def opened(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
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
            fault = "is no file or folder" if path.exists() else "does not exist"
            raise ValueError(f"{path} {fault}.")
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


def opened_image(file: BinaryIO) -> Image.Image:
    """Return the image in an open file, of which only the header is read."""
    image: Image.Image = Image.open(file)
    if image.format == "EPS":  # A program, which Pillow would run in Ghostscript.
        raise UnidentifiedImageError
    return image


def _upright_rgb(file: BinaryIO) -> Image.Image:
    """Return the image of an open file, with at most two full copies in memory."""
    image = opened_image(file)
    image.load()
    image = upright_rgb.upright(image)
    return upright_rgb.rgb(image)


def _luma(rgb: Floats) -> Floats:
    weights = np.array([0.299, 0.587, 0.114], "float32")  # ITU-R 601, as Pillow's "L"
    return (rgb @ weights)[..., None]
