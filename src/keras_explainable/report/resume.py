"""What a run has done so far: a file for each picture, until all are done.

Nobody but the run reads them. They are what a killed run leaves behind, and from
where ``--resume`` goes on.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.report import atomic_files

__all__ = ["Part", "Unfinished"]

_IDENTITY = "run.json"
_MAPS = "maps_"


@dataclasses.dataclass(frozen=True)
class Part:
    """All that the report holds of one picture.

    Attributes:
        entry: what the manifest says of it.
        maps: float32 (H, W, K) of each method.
        panel: a PNG.
        card: its part of the page, as UTF-8.
    """

    entry: dict[str, Any]
    maps: dict[str, NDArray[np.float32]]
    panel: bytes
    card: bytes


class Unfinished:
    """A folder of parts, each of them whole.

    Args:
        path: the folder; made if need be, never a link.
        identity: all that the parts depend on, besides the picture.
        resume: whether to go on with the parts that are there; else they are removed.

    Raises:
        ValueError: if the parts that are there depend on something else, or another run
            is at work on them.
    """

    def __init__(
        self, path: pathlib.Path, identity: dict[str, Any], resume: bool
    ) -> None:
        self.path = atomic_files.own_folder(path)
        self._lock = atomic_files.held(path)
        try:
            self._begin(identity, resume)
        except BaseException:
            self.release()
            raise

    def _begin(self, identity: dict[str, Any], resume: bool) -> None:
        path = self.path / _IDENTITY
        if resume and path.exists():
            _check(path, identity)
            return
        self._clear()
        with atomic_files.replacing(path, self.path) as file:
            file.write(json.dumps(identity, indent=2).encode())

    def add(self, key: str, image: NDArray[np.uint8], part: Part) -> None:
        """Keep the part of a picture."""
        facts = json.dumps({"pixels": _digest(image), "entry": part.entry}).encode()
        texts = {"panel": part.panel, "card": part.card, "facts": facts}
        arrays: dict[str, Any] = {
            name: np.frombuffer(text, "uint8") for name, text in texts.items()
        } | {f"{_MAPS}{method}": values for method, values in part.maps.items()}
        with atomic_files.replacing(self._file(key), self.path) as file:
            np.savez(file, **arrays)

    def entry(
        self, key: str, name: str, image: NDArray[np.uint8]
    ) -> dict[str, Any] | None:
        """Return the entry of a picture if its part is here, whole, and of it."""
        try:
            arrays = self._load(key)
            facts = json.loads(arrays["facts"].tobytes())
            entry = _part(facts["entry"], arrays).entry
            same = facts["pixels"] == _digest(image) and entry["name"] == name
            return entry if same else None
        except Exception:  # There is none, or a damaged one: either is made anew.
            return None

    def part(self, key: str, entry: dict[str, Any]) -> Part:
        """Return the part of a picture."""
        return _part(entry, self._load(key))

    def remove(self) -> None:
        """Remove all parts, for they are not needed any more."""
        self._clear()
        with contextlib.suppress(OSError):  # Not while it is open, on some systems.
            pathlib.Path(self._lock.lock_file).unlink()
        self._lock.release()
        with contextlib.suppress(OSError):  # Somebody put files of their own there.
            self.path.rmdir()

    def release(self) -> None:
        """Let others go on with what is left."""
        self._lock.release()

    def _clear(self) -> None:
        identity = self.path / _IDENTITY
        if not identity.exists():  # Then they are not of a run.
            return
        for pattern in ("*.npz", "*.part"):
            for file in self.path.glob(pattern):
                file.unlink()
        identity.unlink()

    def _file(self, key: str) -> pathlib.Path:
        return self.path / f"{key}.npz"

    def _load(self, key: str) -> dict[str, NDArray[Any]]:
        # Opened here: NumPy forgets to close a file that turns out to be damaged.
        with self._file(key).open("rb") as file, np.load(file) as arrays:
            return {name: arrays[name] for name in arrays}


def _part(entry: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> Part:
    panel, card = (arrays[name].tobytes() for name in ("panel", "card"))
    methods = [maps["method"] for maps in entry["maps"]]
    maps = {method: arrays[f"{_MAPS}{method}"] for method in methods}
    return Part(entry, maps, panel, card)


def _digest(image: NDArray[np.uint8]) -> str:
    return hashlib.sha256(f"{image.shape}".encode() + image.tobytes()).hexdigest()


def _check(path: pathlib.Path, identity: dict[str, Any]) -> None:
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, RecursionError):
        raise ValueError(
            f"{path} is damaged: --resume cannot go on; start anew without it."
        ) from None
    # Through JSON and back, as the other one went.
    now = json.loads(json.dumps(identity))
    names = sorted({**before, **now})
    changed = [name for name in names if before.get(name) != now.get(name)]
    if changed:
        raise ValueError(
            f"--resume must go on with the settings of the unfinished run in "
            f"{path.parent.parent}; changed: {', '.join(changed)}."
        )
