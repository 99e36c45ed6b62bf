"""Atomic writes, and folders that are not links."""

import contextlib
import os
import pathlib
import secrets
from collections.abc import Iterator
from typing import BinaryIO


@contextlib.contextmanager
def atomic_write(path: pathlib.Path, folder: pathlib.Path) -> Iterator[BinaryIO]:
    """Open a file that replaces ``path`` once it is written completely.

    If ``path`` is a link, the link is replaced and its target is left alone.

    Args:
        path: The final path of the file.
        folder: The folder, on the same disk, that holds the file until then.
    """
    part = folder / f"{secrets.token_hex(8)}.part"
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # A power cut could otherwise leave an empty file.
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def make_folder(path: pathlib.Path) -> pathlib.Path:
    """Return a folder, created if necessary, that is not a link.

    Raises:
        ValueError: If the path is a link or a file.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise ValueError(f"{path} must be a folder, not a link or a file.")
    path.mkdir(exist_ok=True)
    return path
