"""Writes the report of an evaluation, one image at a time."""

import contextlib
import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.report import evaluation_page, manifest
from keras_explainable.report.resume import array_of
from keras_explainable.report.run_report import RunReport

#: Function of the archives of all images to one archive, and to what the page shows.
Combine = Callable[[Sequence[bytes]], tuple[bytes, evaluation_page.EvaluationContents]]


@dataclasses.dataclass(frozen=True)
class EvaluationRun:
    """The settings of an evaluation; ``None`` for those that do not apply."""

    model: str
    model_hash: str
    preprocessing: str
    methods: tuple[str, ...]
    metrics: tuple[str, ...]
    controls: bool
    masks: str | None
    target: str
    repetitions: int | None
    noise_level: float | None
    seeds: int
    seed: int
    batch_size: int
    layer: str | None = None
    resize: str | None = None


@dataclasses.dataclass(frozen=True)
class ScoreResults:
    """The scores of one image.

    Attributes:
        entry: The manifest's entry.
        archive: The scores as the bytes of a NumPy archive.
    """

    entry: dict[str, Any]
    archive: bytes

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything but the entry."""
        return {"scores": array_of(self.archive)}

    @classmethod
    def unpacked(
        cls, entry: dict[str, Any], arrays: dict[str, NDArray[Any]]
    ) -> "ScoreResults":
        """Return the results with these arrays."""
        return cls(entry, arrays["scores"].tobytes())


class EvaluationReport(RunReport):
    """A report of scores.

    ``index.html`` shows all results and needs no other file. ``evaluation.npz`` and
    ``manifest.json`` are for programs.

    Args:
        folder: A writable folder. Nothing outside it is touched.
        run: The settings of the run.
        combine: Function of the scores of all images to what the report holds.
        resume: Whether to continue from the results in ``unfinished/``.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        run: EvaluationRun,
        combine: Combine,
        resume: bool = False,
    ) -> None:
        identity = dataclasses.asdict(run)
        super().__init__(folder, identity, resume, ScoreResults.unpacked)
        self._combine = combine

    @property
    def archive(self) -> pathlib.Path:
        """Return the path of the file with all scores."""
        return self.folder / "evaluation.npz"

    def add(
        self,
        key: str,
        results: ScoreResults,
        image: NDArray[np.uint8],
        picture: NDArray[np.uint8] | None = None,
    ) -> None:
        """Store the scores of one image, which is shown as ``picture``."""
        self._unfinished.add(key, image, results, picture, self._elapsed())
        self._done[key] = results.entry

    def _finish(self) -> None:
        """Write the files of the report from the stored results."""
        summary = {"format": 1, **self._facts(), "scores": self.archive.name}
        found = [
            self._unfinished.results(key, entry).archive
            for key, entry in self._entries().items()
        ]
        archive, contents = self._combine(found) if found else (b"", None)
        files = {
            "manifest.json": manifest.json_text(summary),
            "index.html": evaluation_page.page(summary, contents).encode(),
            self.archive.name: archive,
        }
        with contextlib.ExitStack() as opened:
            # The files are put in place in reverse order, so the manifest comes last.
            for name, content in files.items():
                if content:
                    opened.enter_context(self._atomic_write(name)).write(content)
