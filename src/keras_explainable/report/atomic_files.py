"""Files that are whole or not there, and folders that lead nowhere else."""

from __future__ import annotations

import contextlib
import os
import pathlib
import secrets
from collections.abc import Iterator
from typing import BinaryIO

import filelock

__all__ = ["held", "own_folder", "replacing"]


@contextlib.contextmanager
def replacing(path: pathlib.Path, workshop: pathlib.Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of ``path`` once all of it is written.

    A link at ``path`` is replaced, and not what it leads to.

    Args:
        path: the file as it is to be called.
        workshop: a folder on the same disk, where the file is until then.
    """
    part = workshop / f"{secrets.token_hex(8)}.part"
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # Else a power cut may leave an empty file.
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def held(path: pathlib.Path) -> filelock.BaseFileLock:
    """Return a lock on a folder that nobody else holds, however others end.

    Raises:
        ValueError: if another run holds it.
    """
    lock = filelock.FileLock(path / "lock", blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ValueError(
            f"{path.parent} must not be in use; another run is writing there."
        ) from None
    return lock


def own_folder(path: pathlib.Path) -> pathlib.Path:
    """Return a folder, made if need be, that is no link to a place elsewhere.

    Raises:
        ValueError: if something else has its name.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise ValueError(f"{path} must be a folder, not a link or a file.")
    path.mkdir(exist_ok=True)
    return path
