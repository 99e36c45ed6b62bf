"""The report as it grows: one explanation after the other, memory for one."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import pathlib
import shutil
import tempfile
import time
from types import TracebackType
from typing import Any

from keras_explainable.report import manifest, page, panels
from keras_explainable.report.records import Explanation, Names, Run

__all__ = ["Report"]


class Report:
    """Writes all files of a report into one folder.

    ``index.html`` shows everything and needs no other file; ``panels/`` has one PNG
    per picture; ``maps.npz`` and ``manifest.json`` are for programs. Used as a context
    manager: what was added by the end, however the end came, is what is written.

    Args:
        folder: a writable folder; nothing outside it is touched.
        run: how the pictures are explained.
    """

    def __init__(self, folder: pathlib.Path, run: Run) -> None:
        self.folder, self.run = folder, run
        self.entries: list[dict[str, Any]] = []
        self.failures: list[dict[str, str]] = []
        self.interrupted = False
        self._names = Names()
        self._began = datetime.datetime.now(datetime.UTC), time.monotonic()
        (folder / "panels").mkdir(exist_ok=True)

    @property
    def page(self) -> pathlib.Path:
        """Return the path of the page that shows everything."""
        return self.folder / "index.html"

    def add(self, explanation: Explanation) -> None:
        """Write the panel, the maps and the part of the page for one picture."""
        key = self._names.unique(explanation.name)
        panel = f"panels/{key}.png"
        card = page.card(explanation, key, self.run.method).encode()
        panels.panel(explanation).save(self.folder / panel)
        # All that takes time is done: an interruption hardly ever comes in between.
        self._maps.add(key, explanation.maps)
        self._cards.write(card)
        self.entries.append(manifest.image_entry(explanation, key, panel))

    def fail(self, name: str, reason: str) -> None:
        """Record a picture that could not be explained."""
        self.failures.append({"name": name, "reason": reason})

    def __enter__(self) -> Report:
        with contextlib.ExitStack() as opened:
            maps = manifest.MapsFile(self.folder / "maps.npz")
            self._maps = opened.enter_context(maps)
            cards = tempfile.TemporaryFile(dir=self.folder)
            self._cards = opened.enter_context(cards)
            self._opened = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.interrupted = kind is not None
        with self._opened:
            summary = self._summary()
            text = json.dumps(summary, indent=2, ensure_ascii=False)
            (self.folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
            self._write_page(summary)

    def _summary(self) -> dict[str, Any]:
        began, clock = self._began
        return {
            "format": 1,
            **dataclasses.asdict(self.run),
            "versions": manifest.versions(),
            "started": began.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - clock, 2),
            "interrupted": self.interrupted,
            "page": "index.html",
            "maps": "maps.npz",
            "images": self.entries,
            "failures": self.failures,
        }

    def _write_page(self, summary: dict[str, Any]) -> None:
        self._cards.seek(0)
        with self.page.open("wb") as file:
            file.write(page.head(summary).encode())
            shutil.copyfileobj(self._cards, file)
            file.write(page.foot(summary).encode())
