"""A report that grows one image at a time, and can be resumed if it is unfinished."""

import abc
import contextlib
import datetime
import pathlib
import time
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from keras_explainable.report import atomic_files, manifest
from keras_explainable.report.explanation_records import FileNames
from keras_explainable.report.resume import UnfinishedRun, Unpack


class RunReport(abc.ABC):
    """A context manager that writes all files of a report into one folder at the end.

    They are written even after an error or an interruption, from the images added by
    then. Until then the results are in ``unfinished/``, and an older report stays as it
    is. After an early end or a failed image they are kept there, to be resumed.

    Args:
        folder: A writable folder. Nothing outside it is touched.
        identity: Everything except the image on which its results depend.
        resume: Whether to continue from the results in ``unfinished/``.
        unpack: Function to the results of an image, from what is stored.

    Raises:
        ValueError: If these results belong to other settings, another run is writing
            into the folder, or a folder in it is a link.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        identity: dict[str, Any],
        resume: bool,
        unpack: Unpack,
    ) -> None:
        self.folder = folder
        self.failures: list[dict[str, str]] = []
        self.interrupted = self.written = False
        #: Duration when the last image was done, with the parts of a resumed run.
        self.seconds = 0.0
        self._names, self._done = FileNames(), dict[str, dict[str, Any] | None]()
        self._started = datetime.datetime.now(datetime.UTC), time.monotonic()
        self._identity = identity | {"versions": manifest.versions()}
        given = self._identity, resume, unpack
        self._unfinished = UnfinishedRun(folder / "unfinished", *given)

    @property
    def page(self) -> pathlib.Path:
        """Return the path of the page."""
        return self.folder / "index.html"

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Return the manifest's entries of the images, in the order of their keys."""
        return [*self._entries().values()]

    @property
    def exit_code(self) -> int:
        """Return 130 after an interruption, 1 if images failed, and 0 otherwise."""
        return 130 if self.interrupted else int(bool(self.failures))

    def key(self, name: str) -> str:
        """Return a new key for an image, which identifies it in all files."""
        key = self._names.unique(name)
        self._done[key] = None
        return key

    def resumes(
        self,
        key: str,
        name: str,
        image: NDArray[np.uint8],
        picture: NDArray[np.uint8] | None = None,
    ) -> bool:
        """Return whether the unfinished run has an image's results; use them if so."""
        entry = self._unfinished.entry(key, name, image, picture)
        if entry is not None:
            self._done[key] = self._relocated(entry, key)
        return entry is not None

    def fail(self, name: str, reason: str) -> None:
        """Record an image without results."""
        self.failures.append({"name": name, "reason": reason})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.interrupted = kind is not None
        self.seconds = round(self._elapsed(), 2)
        try:
            if self.entries or not self.interrupted:
                self._finish()
                self.written = True
            if not (self.interrupted or self.failures):
                self._unfinished.remove()
        except KeyboardInterrupt:
            self.interrupted = True
            raise
        finally:
            self._unfinished.release()

    def count_from(self, clock: float) -> None:
        """Count the duration from an earlier moment of ``time.monotonic``."""
        self._started = self._started[0], clock

    def _elapsed(self) -> float:
        return self._unfinished.seconds + time.monotonic() - self._started[1]

    @abc.abstractmethod
    def _finish(self) -> None:
        """Write the files of the report from the stored results."""

    def _relocated(self, entry: dict[str, Any], key: str) -> dict[str, Any]:
        """Return a stored entry with the paths of this report."""
        return entry

    def _entries(self) -> dict[str, dict[str, Any]]:
        return {key: entry for key, entry in self._done.items() if entry}

    def _facts(self) -> dict[str, Any]:
        """Return the facts of the run that every manifest has."""
        return {
            **self._identity,
            "started": self._started[0].isoformat(timespec="seconds"),
            "seconds": self.seconds,
            "interrupted": self.interrupted,
            "page": self.page.name,
            "images": self.entries,
            "failures": self.failures,
        }

    def _atomic_write(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        return atomic_files.atomic_write(self.folder / name, self._unfinished.path)
