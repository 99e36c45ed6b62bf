"""A data set of Ray for the paths of images, of Parquet files or of WebDataset tars."""

import os
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from keras_explainable.common.image_suffixes import SUFFIXES
from keras_explainable.common.optional_packages import require


def is_path(value: Any) -> bool:
    """Return whether a value is a path, or a list of paths."""
    several = isinstance(value, list | tuple) and len(value) > 0
    return all(
        isinstance(x, str | os.PathLike) for x in (value if several else [value])
    )


def read_paths(paths: Any, id_column: str, image_column: str) -> Any:
    """Return the data set of what paths name, as the suffix of the first says.

    Args:
        paths: A path, or a list of paths of one kind: files with a suffix such as .png,
            or folders of them; .parquet; or .tar, as of WebDataset.
        id_column: Name for the paths of images.
        image_column: Name for the bytes of images.
    """
    several = [paths] if isinstance(paths, str | os.PathLike) else paths
    names = [os.fspath(path) for path in several]
    data, suffix = require("ray.data", "ray"), PurePath(names[0]).suffix.lower()
    if suffix == ".parquet":
        return data.read_parquet(names)
    if suffix == ".tar":  # The workers decode the images. Labels are texts in a tar.
        return data.read_webdataset(
            names, decoder=lambda x: {**x, "cls": int(x["cls"])} if "cls" in x else x
        )
    found = data.read_binary_files(
        names, include_paths=True, file_extensions=_suffixes_in(names)
    )
    new = {"path": id_column, "bytes": image_column}
    return found.rename_columns({old: own for old, own in new.items() if old != own})


def _suffixes_in(names: Sequence[str]) -> list[str] | None:
    """Return the suffixes of the files to read; None for all, without folders."""
    folders = any(not PurePath(name).suffix for name in names)
    return [*SUFFIXES] if folders else None
