"""The report as it grows: one explanation after the other, memory for one."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import io
import json
import pathlib
import time
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from keras_explainable.report import (
    atomic_files,
    html_page,
    image_card,
    manifest,
    panel_image,
)
from keras_explainable.report.explanation_records import Explanation, Names, Run
from keras_explainable.report.resume import Part, Unfinished

__all__ = ["Report"]


class Report:
    """Writes all files of a report into one folder.

    ``index.html`` shows everything and needs no other file; ``panels/`` has one PNG
    per picture; ``maps.npz`` and ``manifest.json`` are for programs. Used as a context
    manager: what was added by the end, however the end came, is what is written. Until
    then it is in ``unfinished/``, and an older report stays as it is. If the end came
    early, or a picture failed, it is kept there for another report to resume.

    Args:
        folder: a writable folder; nothing outside it is touched.
        run: how the pictures are explained.
        resume: whether to go on with what an earlier report of the same run left.

    Raises:
        ValueError: if another run left it, or a folder is a link to elsewhere.
    """

    def __init__(self, folder: pathlib.Path, run: Run, resume: bool = False) -> None:
        self.folder, self.run = folder, run
        self.failures: list[dict[str, str]] = []
        self.interrupted = self.written = False
        self._names, self._done = Names(), dict[str, dict[str, Any] | None]()
        self._began = datetime.datetime.now(datetime.UTC), time.monotonic()
        atomic_files.own_folder(folder / "panels")
        path, identity = folder / "unfinished", self._identity()
        self._unfinished = Unfinished(path, identity, resume)

    @property
    def page(self) -> pathlib.Path:
        """Return the path of the page that shows everything."""
        return self.folder / "index.html"

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Return what the manifest says of each picture, in the order of the keys."""
        return [*self._entries().values()]

    def key(self, name: str) -> str:
        """Return what a picture is called in all files; each call takes a new one."""
        key = self._names.unique(name)
        self._done[key] = None
        return key

    def resumes(self, key: str, name: str, image: NDArray[np.uint8]) -> bool:
        """Tell whether a picture was explained before, and take it from there."""
        entry = self._unfinished.entry(key, name, image)
        if entry is not None:
            self._done[key] = _placed(entry, key)
        return entry is not None

    def add(self, key: str, explanation: Explanation) -> None:
        """Write the panel, the maps and the part of the page for one picture."""
        entry = manifest.image_entry(explanation, key, _panel(key))
        card = image_card.card(explanation, key).encode()
        png = io.BytesIO()
        panel_image.panel(explanation).save(png, "png")
        maps = {maps.method: maps.values for maps in explanation.maps}
        part = Part(entry, maps, png.getvalue(), card)
        self._unfinished.add(key, explanation.image, part)
        self._done[key] = entry

    def fail(self, name: str, reason: str) -> None:
        """Record a picture that could not be explained."""
        self.failures.append({"name": name, "reason": reason})

    def __enter__(self) -> Report:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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

    def _identity(self) -> dict[str, Any]:
        return dataclasses.asdict(self.run) | {"versions": manifest.versions()}

    def _summary(self) -> dict[str, Any]:
        began, clock = self._began
        return {
            "format": 2,
            **self._identity(),
            "started": began.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - clock, 2),
            "interrupted": self.interrupted,
            "page": "index.html",
            "maps": "maps.npz",
            "images": self.entries,
            "failures": self.failures,
        }

    def _finish(self) -> None:
        """Make the files of the report from its parts, and put them in place."""
        summary = self._summary()
        text = json.dumps(summary, indent=2, ensure_ascii=False)
        with contextlib.ExitStack() as opened:
            # Put in place in the opposite order: the manifest comes last.
            manifest_, page_, maps_ = (
                opened.enter_context(self._replacing(name))
                for name in ("manifest.json", "index.html", "maps.npz")
            )
            manifest_.write(f"{text}\n".encode())
            page_.write(html_page.head(summary).encode())
            maps = opened.enter_context(manifest.MapsFile(maps_))
            self._write_parts(maps, page_)
            page_.write(html_page.foot(summary).encode())
        self.written = True

    def _entries(self) -> dict[str, dict[str, Any]]:
        return {key: entry for key, entry in self._done.items() if entry}

    def _write_parts(self, maps: manifest.MapsFile, page_: BinaryIO) -> None:
        for key, entry in self._entries().items():
            part = self._unfinished.part(key, entry)
            for method, values in part.maps.items():
                maps.add(manifest.maps_key(key, method), values)
            page_.write(part.card)
            with self._replacing(entry["panel"]) as file:
                file.write(part.panel)

    def _replacing(self, name: str) -> contextlib.AbstractContextManager[BinaryIO]:
        return atomic_files.replacing(self.folder / name, self._unfinished.path)


def _panel(key: str) -> str:
    return f"panels/{key}.png"


def _placed(entry: dict[str, Any], key: str) -> dict[str, Any]:
    """Return an entry that leads to this report's files, whatever it led to before."""
    maps = [
        one | {"key": manifest.maps_key(key, one["method"])} for one in entry["maps"]
    ]
    return entry | {"panel": _panel(key), "maps": maps}
