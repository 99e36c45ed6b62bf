"""Folders that one run at a time writes into."""

import pathlib

import filelock


def acquire_lock(path: pathlib.Path) -> filelock.BaseFileLock:
    """Return an acquired lock on a folder; the system releases it if a run is killed.

    Raises:
        ValueError: If another run holds the lock.
    """
    lock = filelock.FileLock(path / "lock", blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise ValueError(
            f"{path.parent} must not be in use; another run is writing there."
        ) from None
    return lock
