"""Finds and reads masks: which pixels of images lie on an object."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from keras_explainable.cli import fit_images, read_images, upright_rgb
from keras_explainable.common.image_suffixes import SUFFIXES

_QUARTER_TURNS = range(5, 9)  # Orientations of EXIF that swap height and width.


def find(
    images: Sequence[Path], paths: Sequence[Path], folder: Path
) -> dict[Path, Path]:
    """Return the file with the mask of each image.

    It has the image's name, with any suffix of images. The mask of an image in a folder
    that was searched has the same place in the folder of masks.

    Args:
        images: Images.
        paths: Paths at which they were found, files and folders.
        folder: Folder of the masks.

    Raises:
        ValueError: If there is no such folder, an image has no mask, or two have one.
    """
    if not folder.is_dir():
        raise ValueError(f"--masks must be a folder; received {folder}.")
    stems = {x.with_suffix(""): x for x in sorted(folder.rglob("*")) if _is_image(x)}
    places = {image: _places(image, paths) for image in images}
    found = {
        image: stems[folder / place]
        for image, some in places.items()
        for place in reversed(some)
        if folder / place in stems
    }
    if missing := [image for image in images if image not in found]:
        others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        place = folder / places[missing[0]][0]
        raise ValueError(
            "--masks must have a mask for each image, of the same name; there is no "
            f"{place}.png for {missing[0]}{others}."
        )
    if len({*found.values()}) < len(found):
        raise ValueError(
            "--masks must have another mask for each image; images of one name in "
            f"several folders have the same in {folder}."
        )
    return found


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _places(image: Path, paths: Sequence[Path]) -> list[Path]:
    """Return where the mask of an image may be, without a suffix."""
    inside = [image.relative_to(x) for x in paths if x in image.parents]
    return [x.with_suffix("") for x in (*inside, Path(image.name))]


def read(
    path: str | os.PathLike[str],
    image: str | os.PathLike[str],
    size: tuple[int, int] | None,
    resizing: str,
) -> NDArray[np.bool_]:
    """Return which pixels lie on the object, fitted to a size as the image is.

    Args:
        path: The mask, whose pixels on the object are not 0.
        image: The image, which has the same size.
        size: As for ``read_images.read``.
        resizing: As for ``read_images.read``.

    Raises:
        ValueError: If the mask cannot be read, has another size, or none of its pixels
            lie in the part that the model sees. The message continues a sentence that
            starts with the image's name.
    """
    try:
        with read_images.opened(path) as file:
            mask = _mask(read_images.opened_image(file))
    except ValueError as error:
        raise ValueError(f"has the mask {path}, which {error}") from error
    with read_images.opened(image) as file:
        wanted = _upright_size(read_images.opened_image(file))
    if mask.size != wanted:
        raise ValueError(
            f"must have the size of its mask {path}, {mask.width} x {mask.height}; it "
            f"has {wanted[0]} x {wanted[1]}"
        )
    fitted = fit_images.fitted(mask, size, resizing)
    inside: NDArray[np.bool_] = np.asarray(fitted)[..., 0] >= 128
    if not inside.any():
        raise ValueError(f"has the mask {path}, which is empty where the model looks")
    return inside


def _mask(image: Image.Image) -> Image.Image:
    """Return a mask as white on black."""
    if image.format == "JPEG":
        raise ValueError("is a JPEG, in which the values of masks change; use PNG")
    image.load()
    values: Any = np.asarray(upright_rgb.upright(image))
    if values.ndim == 3:
        channels = values[..., :-1] if image.mode.endswith("A") else values
        inside = (channels != 0).any(axis=-1)
        values = inside & (values[..., -1] != 0) if image.mode.endswith("A") else inside
    return Image.fromarray(np.where(values != 0, 255, 0).astype("uint8")).convert("RGB")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    return image.size[::-1] if orientation in _QUARTER_TURNS else image.size
