"""The contents of ``manifest.json`` and ``maps.npz``, the files for programs."""

import dataclasses
import json
import math
import platform
import sys
import zipfile
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from keras_explainable import __version__
from keras_explainable.report.explanation_records import Explanation, Maps


class MapsFile(zipfile.ZipFile):
    """An .npz file that is written one array at a time, to save memory.

    The manifest has the key of each array, one per image and method. An array is
    float32 (H, W, K), with one map for each of the image's ``explained`` classes.
    """

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1)

    def add(self, key: str, maps: NDArray[np.float32]) -> None:
        """Write one array."""
        with self.open(f"{key}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, np.asarray(maps, "float32"))


def image_entry(explanation: Explanation, key: str, panel: str) -> dict[str, Any]:
    """Return the manifest's entry for one image."""
    return {
        "name": explanation.name,
        "panel": panel,
        "seen": [round(side, 6) for side in explanation.seen],
        "explained": [class_.unit for class_ in explanation.explained],
        "predictions": list(map(dataclasses.asdict, explanation.predictions)),
        "maps": [_maps_entry(maps, key) for maps in explanation.maps],
    }


def maps_key(key: str, method: str) -> str:
    """Return the key in ``maps.npz`` of an image's maps by one method."""
    return f"{key}.{method}"


def _maps_entry(maps: Maps, key: str) -> dict[str, Any]:
    return {
        "method": maps.method,
        "key": maps_key(key, maps.method),
        "shape": list(maps.values.shape),
        "signed": maps.signed,
        "noise": maps.noise and dataclasses.asdict(maps.noise),
    }


def versions() -> dict[str, str]:
    """Return the versions of the software that a map depends on."""
    import keras

    backend = keras.backend.backend()
    return {
        "keras-explainable": __version__,
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": backend,
        backend: str(getattr(sys.modules.get(backend), "__version__", "unknown")),
        "numpy": np.__version__,
    }


def json_text(summary: dict[str, Any]) -> bytes:
    """Return the text of a manifest. JSON has no NaN: such numbers are null."""
    values = _with_nulls(summary)
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def _with_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_nulls(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_nulls(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
