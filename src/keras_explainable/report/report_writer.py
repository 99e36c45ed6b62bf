"""Writes a report one explanation at a time."""

import contextlib
import dataclasses
import datetime
import io
import json
import pathlib
import time
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from keras_explainable.report import (
    atomic_files,
    image_card,
    manifest,
    picture_files,
)
from keras_explainable.report.explanation_records import (
    FORMATS,
    Explanation,
    FileNames,
    Run,
)
from keras_explainable.report.page_files import PageFiles
from keras_explainable.report.panel_image import panel
from keras_explainable.report.resume import ImageResults, UnfinishedRun


class Report:
    """A context manager that writes all files of a report into one folder.

    ``index.html`` shows all results and needs no other file; above 50 images, their
    pictures are in ``pictures/``, and there are more pages if one would be too large.
    ``panels/`` has one picture per image; ``maps.npz`` and ``manifest.json`` are for
    programs. They are written at the end, even after an error or an interruption, from
    the images added by then.
    Until then the results are in ``unfinished/``, and an older report stays as it is.
    After an early end or a failed image they are kept there, to be resumed.

    Args:
        folder: A writable folder. Nothing outside it is touched.
        run: The settings of the run.
        resume: Whether to continue from the results in ``unfinished/``.

    Raises:
        ValueError: If these results belong to other settings, another run is writing
            into the folder, or a folder in it is a link.
    """

    def __init__(self, folder: pathlib.Path, run: Run, resume: bool = False) -> None:
        self.folder = folder
        self.failures: list[dict[str, str]] = []
        self.interrupted = self.written = False
        self._names, self._done = FileNames(), dict[str, dict[str, Any] | None]()
        self._started = datetime.datetime.now(datetime.UTC), time.monotonic()
        atomic_files.make_folder(folder / "panels")
        self._format = run.picture_format
        self._identity = dataclasses.asdict(run) | {"versions": manifest.versions()}
        self._unfinished = UnfinishedRun(folder / "unfinished", self._identity, resume)

    @property
    def page(self) -> pathlib.Path:
        """Return the path of the page."""
        return self.folder / "index.html"

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Return the manifest's entries of the images, in the order of their keys."""
        return [*self._entries().values()]

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
            self._done[key] = _relocated(entry, key, self._panel(key))
        return entry is not None

    def add(self, key: str, explanation: Explanation) -> None:
        """Store the maps, the panel and the card of one image."""
        entry = manifest.image_entry(explanation, key, self._panel(key))
        card = image_card.card(explanation, key).encode()
        picture = io.BytesIO()
        panel(explanation).save(picture, self._format, quality=90)
        maps = {maps.method: maps.values for maps in explanation.maps}
        results = ImageResults(entry, maps, picture.getvalue(), card)
        self._unfinished.add(key, explanation.image, results, explanation.picture)
        self._done[key] = entry

    def fail(self, name: str, reason: str) -> None:
        """Record an image that could not be explained."""
        self.failures.append({"name": name, "reason": reason})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.interrupted = kind is not None
        try:
            if self.entries or not self.interrupted:
                self._finish()
            if not (self.interrupted or self.failures):
                self._unfinished.remove()
        except KeyboardInterrupt:
            self.interrupted = True
            raise
        finally:
            self._unfinished.release()

    def _panel(self, key: str) -> str:
        return f"panels/{key}.{FORMATS[self._format]}"

    def _summary(self) -> dict[str, Any]:
        started, clock = self._started
        return {
            "format": 2,
            **self._identity,
            "started": started.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - clock, 2),
            "interrupted": self.interrupted,
            "page": "index.html",
            "maps": "maps.npz",
            "images": self.entries,
            "failures": self.failures,
        }

    def _finish(self) -> None:
        """Write the files of the report from the stored results."""
        summary = self._summary()
        text = json.dumps(summary, indent=2, ensure_ascii=False)
        with contextlib.ExitStack() as opened:
            # The files are put in place in reverse order, so the manifest comes last.
            manifest_, page, maps_ = (
                opened.enter_context(self._atomic_write(name))
                for name in ("manifest.json", "index.html", "maps.npz")
            )
            manifest_.write(f"{text}\n".encode())
            pages = PageFiles(summary, page, self._atomic_write)
            maps = opened.enter_context(manifest.MapsFile(maps_))
            self._write_results(maps, pages)
            pages.finish()
        self.written = True

    def _entries(self) -> dict[str, dict[str, Any]]:
        return {key: entry for key, entry in self._done.items() if entry}

    def _write_results(self, maps: manifest.MapsFile, pages: PageFiles) -> None:
        if pages.beside:
            atomic_files.make_folder(self.folder / picture_files.FOLDER)
        for key, entry in self._entries().items():
            results = self._unfinished.results(key, entry)
            for method, values in results.maps.items():
                maps.add(manifest.maps_key(key, method), values)
            pages.add(key, results.card)
            with self._atomic_write(entry["panel"]) as file:
                file.write(results.panel)

    def _atomic_write(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        return atomic_files.atomic_write(self.folder / name, self._unfinished.path)


def _relocated(entry: dict[str, Any], key: str, panel_path: str) -> dict[str, Any]:
    """Return an entry with the paths and keys of this report, whatever they were."""
    maps = [
        one | {"key": manifest.maps_key(key, one["method"])} for one in entry["maps"]
    ]
    return entry | {"panel": panel_path, "maps": maps}
