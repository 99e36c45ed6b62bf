"""Writes a report one explanation at a time."""

import contextlib
import dataclasses
import io
import pathlib
from typing import Any

from keras_explainable.report import (
    atomic_files,
    image_card,
    manifest,
    picture_files,
)
from keras_explainable.report.explanation_records import (
    FORMATS,
    Explanation,
    Run,
)
from keras_explainable.report.page_files import PageFiles
from keras_explainable.report.panel_image import panel
from keras_explainable.report.resume import ImageResults
from keras_explainable.report.run_report import RunReport


class Report(RunReport):
    """A report of explanations.

    ``index.html`` shows all results and needs no other file; above 50 images, their
    pictures are in ``pictures/``, and there are more pages if one would be too large.
    ``panels/`` has one picture per image; ``maps.npz`` and ``manifest.json`` are for
    programs.

    Args:
        folder: A writable folder. Nothing outside it is touched.
        run: The settings of the run.
        resume: Whether to continue from the results in ``unfinished/``.

    Raises:
        ValueError: If these results belong to other settings, another run is writing
            into the folder, or a folder in it is a link.
    """

    def __init__(self, folder: pathlib.Path, run: Run, resume: bool = False) -> None:
        atomic_files.make_folder(folder / "panels")
        self._format = run.picture_format
        identity = dataclasses.asdict(run)
        super().__init__(folder, identity, resume, ImageResults.unpacked)

    def add(self, key: str, explanation: Explanation) -> None:
        """Store the maps, the panel and the card of one image."""
        entry = manifest.image_entry(explanation, key, self._panel(key))
        card = image_card.card(explanation, key).encode()
        picture = io.BytesIO()
        panel(explanation).save(picture, self._format, quality=90)
        maps = {maps.method: maps.values for maps in explanation.maps}
        results = ImageResults(entry, maps, picture.getvalue(), card)
        shown = explanation.image, results, explanation.picture
        self._unfinished.add(key, *shown, seconds=self._elapsed())
        self._done[key] = entry

    def _panel(self, key: str) -> str:
        return f"panels/{key}.{FORMATS[self._format]}"

    def _relocated(self, entry: dict[str, Any], key: str) -> dict[str, Any]:
        """Return an entry with the paths and keys of this report."""
        maps = [
            one | {"key": manifest.maps_key(key, one["method"])}
            for one in entry["maps"]
        ]
        return entry | {"panel": self._panel(key), "maps": maps}

    def _finish(self) -> None:
        """Write the files of the report from the stored results."""
        summary = {"format": 2, **self._facts(), "maps": "maps.npz"}
        with contextlib.ExitStack() as opened:
            # The files are put in place in reverse order, so the manifest comes last.
            manifest_, page, maps_ = (
                opened.enter_context(self._atomic_write(name))
                for name in ("manifest.json", "index.html", "maps.npz")
            )
            manifest_.write(manifest.json_text(summary))
            pages = PageFiles(summary, page, self._atomic_write)
            maps = opened.enter_context(manifest.MapsFile(maps_))
            self._write_results(maps, pages)
            pages.finish()

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
