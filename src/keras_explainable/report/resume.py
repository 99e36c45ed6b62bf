"""The results of an unfinished run: one file per image, until all are complete.

They are internal files, which survive if the run is killed; ``--resume`` continues
from them.
"""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from keras_explainable.report import atomic_files, folder_lock

_IDENTITY = "run.json"
_MAPS = "maps_"


class Results(Protocol):
    """What a run stores of one image: an entry of the manifest, and arrays."""

    @property
    def entry(self) -> dict[str, Any]:
        """The manifest's entry."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything else."""
        ...


#: Function of an entry and of arrays to the results; it raises if some are missing.
Unpack = Callable[[dict[str, Any], dict[str, NDArray[Any]]], Results]


@dataclasses.dataclass(frozen=True)
class ImageResults:
    """Everything that the report contains about one image.

    Attributes:
        entry: The manifest's entry.
        maps: float32 maps (H, W, K) by method.
        panel: The panel, as a picture file.
        card: The card on the page, in UTF-8.
    """

    entry: dict[str, Any]
    maps: dict[str, NDArray[np.float32]]
    panel: bytes
    card: bytes

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything but the entry."""
        texts = {"panel": self.panel, "card": self.card}
        maps = {f"{_MAPS}{method}": values for method, values in self.maps.items()}
        return {name: array_of(text) for name, text in texts.items()} | maps

    @classmethod
    def unpacked(
        cls, entry: dict[str, Any], arrays: dict[str, NDArray[Any]]
    ) -> "ImageResults":
        """Return the results with these arrays."""
        panel, card = (arrays[name].tobytes() for name in ("panel", "card"))
        methods = [maps["method"] for maps in entry["maps"]]
        maps = {method: arrays[f"{_MAPS}{method}"] for method in methods}
        return cls(entry, maps, panel, card)


def array_of(content: bytes) -> NDArray[np.uint8]:
    """Return bytes as an array, to be stored."""
    return np.frombuffer(content, "uint8")


class UnfinishedRun:
    """A locked folder with the results of images.

    Args:
        path: The folder, created if necessary; it must not be a link.
        identity: Everything except the image on which its results depend.
        resume: Whether to continue with existing results; otherwise they are removed.
        unpack: Function to the results, from what is stored.

    Raises:
        ValueError: If existing results have another ``identity``, or another run holds
            the lock.
    """

    def __init__(
        self,
        path: Path,
        identity: dict[str, Any],
        resume: bool,
        unpack: Unpack = ImageResults.unpacked,
    ) -> None:
        self._unpack = unpack
        #: How long the run had lasted when the last of the images used was added.
        self.seconds = 0.0
        self.path = atomic_files.make_folder(path)
        self._lock = folder_lock.acquire_lock(path)
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
        with atomic_files.atomic_write(path, self.path) as file:
            file.write(json.dumps(identity, indent=2).encode())

    def add(
        self,
        key: str,
        image: NDArray[np.uint8],
        results: Results,
        picture: NDArray[np.uint8] | None = None,
        seconds: float = 0.0,
    ) -> None:
        """Store the results of an image, which is shown as ``picture``.

        ``seconds`` is how long the run has lasted.
        """
        facts = {
            "pixels": _digest(image, picture),
            "entry": results.entry,
            "seconds": seconds,
        }
        text = array_of(json.dumps(facts).encode())
        arrays: dict[str, Any] = results.arrays() | {"facts": text}
        with atomic_files.atomic_write(self._file(key), self.path) as file:
            np.savez(file, **arrays)

    def entry(
        self,
        key: str,
        name: str,
        image: NDArray[np.uint8],
        picture: NDArray[np.uint8] | None = None,
    ) -> dict[str, Any] | None:
        """Return the entry of an image if its results are here and undamaged."""
        try:
            arrays = self._load(key)
            facts = json.loads(arrays["facts"].tobytes())
            entry = self._unpack(facts["entry"], arrays).entry
            same = facts["pixels"] == _digest(image, picture) and entry["name"] == name
            if same:
                self.seconds = max(self.seconds, float(facts["seconds"]))
            return entry if same else None
        except Exception:  # Missing or damaged results are computed again.
            return None

    def results(self, key: str, entry: dict[str, Any]) -> Any:
        """Return the stored results of an image."""
        return self._unpack(entry, self._load(key))

    def remove(self) -> None:
        """Remove all results and release the lock."""
        self._clear()
        with contextlib.suppress(OSError):  # Some systems cannot remove open files.
            Path(self._lock.lock_file).unlink()
        self._lock.release()
        with contextlib.suppress(OSError):  # The user may have put files there.
            self.path.rmdir()

    def release(self) -> None:
        """Release the lock and keep the results."""
        self._lock.release()

    def _clear(self) -> None:
        identity = self.path / _IDENTITY
        if not identity.exists():  # Then the files belong to somebody else.
            return
        for file in (*self.path.glob("*.npz"), *self.path.glob("*.part")):
            file.unlink()
        identity.unlink()

    def _file(self, key: str) -> Path:
        return self.path / f"{key}.npz"

    def _load(self, key: str) -> dict[str, NDArray[Any]]:
        # Opened here, for NumPy does not close a damaged file.
        with self._file(key).open("rb") as file, np.load(file) as arrays:
            return {name: arrays[name] for name in arrays}


def _digest(image: NDArray[np.uint8], picture: NDArray[np.uint8] | None) -> str:
    digest = hashlib.sha256()
    for pixels in (image,) if picture is None else (image, picture):
        digest.update(f"{pixels.shape}".encode() + pixels.tobytes())
    return digest.hexdigest()


def _check(path: Path, identity: dict[str, Any]) -> None:
    try:
        before = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, RecursionError):
        raise ValueError(
            f"{path} is damaged, so --resume cannot continue; run again without it."
        ) from None
    # Through JSON and back, like the stored identity.
    now = json.loads(json.dumps(identity))
    names = sorted({**before, **now})
    changed = [name for name in names if before.get(name) != now.get(name)]
    if changed:
        raise ValueError(
            f"--resume must be used with the settings of the unfinished run in "
            f"{path.parent.parent}; changed: {', '.join(changed)}."
        )
