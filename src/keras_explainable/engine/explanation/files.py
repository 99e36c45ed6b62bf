"""Explanations as NumPy archives, and as Zarr folders whose maps are read in pieces."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_explainable.common.optional_packages import require
from keras_explainable.engine.explanation.flat_arrays import MAPS

#: Name of the text, and of the extra that Zarr comes with.
TEXT, EXTRA = "explanation", "results"

#: A chunk of a Zarr array has about so many bytes, and at least one image.
CHUNK_BYTES = 1 << 22

Arrays = Mapping[str, Any]


def write(path: str | os.PathLike[str], text: str, arrays: Arrays) -> None:
    """Write a text and arrays to a file or folder, by its suffix."""
    writers: dict[str, Callable[[Path, str, Arrays], None]]
    writers = {".npz": _write_archive, ".zarr": _write_folder}
    _choice(path, writers)(Path(path), text, arrays)


def read(path: str | os.PathLike[str]) -> tuple[str, Arrays]:
    """Return the text and arrays that ``write`` wrote; maps in a folder are not read.

    Raises:
        FileNotFoundError: If there is nothing.
        ValueError: If it was not written by ``write``.
    """
    read_from = _choice(path, {".npz": _read_archive, ".zarr": _read_folder})
    if not Path(path).exists():
        raise FileNotFoundError(f"`path` must exist; received {str(path)!r}.")
    return read_from(Path(path))


def _choice(path: str | os.PathLike[str], by_suffix: dict[str, Any]) -> Any:
    suffix = Path(path).suffix
    if suffix not in by_suffix:
        raise ValueError(f"`path` must end in .npz or .zarr; received {str(path)!r}.")
    return by_suffix[suffix]


def _write_archive(path: Path, text: str, arrays: Arrays) -> None:
    whole: dict[str, Any] = {name: np.asarray(array) for name, array in arrays.items()}
    np.savez(path, **(whole | {TEXT: np.array(text)}))


def _read_archive(path: Path) -> tuple[str, Arrays]:
    if not zipfile.is_zipfile(path):
        raise _unknown(path)
    with np.load(path, allow_pickle=False) as file:
        if TEXT not in file.files:
            raise _unknown(path)
        arrays = {name: file[name] for name in file.files}
    return str(arrays.pop(TEXT)), arrays


def _write_folder(path: Path, text: str, arrays: Arrays) -> None:
    """Write beside, then replace: the old folder may be where the maps come from."""
    zarr = require("zarr", EXTRA)
    if path.exists():
        _read_folder(path)  # Nothing else is replaced.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=path.stem) as beside:
        group = zarr.open_group(Path(beside, path.name), mode="w")
        for name, array in arrays.items():
            _copy(array, group, name)
        group.attrs[TEXT] = text
        shutil.rmtree(path, ignore_errors=True)
        Path(beside, path.name).replace(path)


def _copy(array: Any, group: Any, name: str) -> None:
    """Copy an array to a group, some rows at a time."""
    row_bytes = max(1, array.dtype.itemsize * int(np.prod(array.shape[1:])))
    rows = max(1, min(array.shape[0], CHUNK_BYTES // row_bytes))
    chunks = (rows, *(max(1, size) for size in array.shape[1:]))
    target = group.create_array(
        name, shape=array.shape, chunks=chunks, dtype=array.dtype
    )
    for start in range(0, array.shape[0], rows):
        target[start : start + rows] = array[start : start + rows]


def _read_folder(path: Path) -> tuple[str, Arrays]:
    zarr = require("zarr", EXTRA)
    try:
        group = zarr.open_group(path, mode="r")
        text = str(group.attrs[TEXT])
    except (OSError, KeyError) as error:
        raise _unknown(path) from error
    arrays = dict(group.arrays())
    return text, {
        name: array if name.startswith(MAPS) else array[...]
        for name, array in arrays.items()
    }


def _unknown(path: Path) -> ValueError:
    return ValueError(
        f"`path` must be what `Explanation.save` wrote; received {str(path)!r}."
    )
