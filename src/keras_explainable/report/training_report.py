"""Writes a report of a training, one epoch at a time."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting import colormaps
from keras_explainable.report import atomic_files, figures, manifest, training_page
from keras_explainable.report.explanation_records import FORMATS, FileNames
from keras_explainable.report.picture_files import FOLDER


@dataclasses.dataclass(frozen=True)
class EpochMaps:
    """The maps of a method after some epochs.

    Attributes:
        values: float (N, H, W, K), one map for each image and explained unit.
        scores: float (N, K), the scores that they explain.
        units: Names of the units, N lists of K.
    """

    values: NDArray[np.float32]
    scores: NDArray[np.float32]
    units: Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True)
class TrainingRun:
    """The settings of the maps.

    Attributes:
        model: Name of the model.
        methods: Names of the methods.
        every: Number of epochs from one map to the next.
    """

    model: str
    methods: tuple[str, ...]
    every: int


class TrainingReport:
    """A page of the maps of the same images, which grows with each epoch.

    ``index.html`` can be opened while the model is trained; its pictures are in
    ``pictures/``, and ``manifest.json`` has the scores. A report of the same methods
    and as many images in the folder is continued: its maps of earlier epochs are kept.

    Args:
        folder: Folder of the report, created when the first epoch is added.
        run: The settings.
        images: The N images as uint8 (H, W, 1) or (H, W, 3).
    """

    def __init__(
        self,
        folder: pathlib.Path,
        run: TrainingRun,
        images: Sequence[NDArray[np.uint8]],
    ) -> None:
        self._folder, self._run, self._images = folder, run, images
        self._started = datetime.datetime.now(datetime.UTC), time.monotonic()
        self._summary: dict[str, Any] = {}
        names = FileNames()
        self._keys = {method: names.unique(method) for method in run.methods}

    def add(
        self, epoch: int, logs: Mapping[str, float], maps: Mapping[str, EpochMaps]
    ) -> None:
        """Write the maps of each method after some epochs, and the page anew.

        Maps of the same and of later epochs are those of another training.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        atomic_files.make_folder(self._folder / FOLDER)
        summary = self._summary = self._summary or self._begun()
        found = {name: self._written(name, epoch, each) for name, each in maps.items()}
        added = {"epoch": epoch, "logs": dict(logs), "maps": found}
        before = [each for each in summary["epochs"] if each["epoch"] < epoch]
        summary["epochs"] = [*before, added]
        summary["seconds"] = round(time.monotonic() - self._started[1], 2)
        self._write("index.html", training_page.page(summary).encode())
        self._write("manifest.json", manifest.json_text(summary))

    def _begun(self) -> dict[str, Any]:
        """Return the facts of the report, with the epochs of an earlier one."""
        images = [self._image(n, image) for n, image in enumerate(self._images)]
        summary = {
            "format": 1,
            **dataclasses.asdict(self._run),
            "methods": [*self._run.methods],
            "versions": manifest.versions(),
            "started": self._started[0].isoformat(timespec="seconds"),
            "images": images,
            "epochs": [],
        }
        return summary | {"epochs": self._earlier(summary)}

    def _earlier(self, summary: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the epochs of the same report in the folder, if there is one."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found = json.loads((self._folder / "manifest.json").read_text("utf-8"))
            if all(found.get(x) == summary[x] for x in ("format", "methods", "images")):
                return list(found["epochs"])
        return []

    def _image(self, number: int, image: NDArray[np.uint8]) -> dict[str, Any]:
        pixels = colormaps.to_rgb(image)
        height, width = pixels.shape[:2]
        return {
            "picture": self._picture(f"image_{number}", pixels),
            "size": [width, height],
            "is_small": figures.is_small(pixels),
            "hash": hashlib.sha256(pixels.tobytes()).hexdigest()[:16],
        }

    def _written(self, method: str, epoch: int, maps: EpochMaps) -> dict[str, Any]:
        """Write the maps of a method, and return what the page needs."""
        signed = bool((maps.values < 0).any())
        stem = f"{self._keys[method]}_epoch_{epoch:04}"
        files = [
            [
                self._picture(
                    f"{stem}_image_{number}_{unit}",
                    figures.grey_map(each[..., unit], signed),
                )
                for unit in range(each.shape[-1])
            ]
            for number, each in enumerate(maps.values)
        ]
        scores = np.asarray(maps.scores, "float64").tolist()
        return {"signed": signed, "scores": scores, "units": maps.units, "files": files}

    def _picture(self, stem: str, pixels: NDArray[np.uint8]) -> str:
        """Write a picture, and return its path in the folder."""
        kind, content = figures.encoded(pixels)
        name = f"{FOLDER}/{stem}.{FORMATS[kind]}"
        self._write(name, content)
        return name

    def _write(self, name: str, content: bytes) -> None:
        path = self._folder / name
        with atomic_files.atomic_write(path, path.parent) as file:
            file.write(content)
