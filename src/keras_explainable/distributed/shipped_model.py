"""A model on its way to other processes: as a file's bytes, or as a function."""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from keras_explainable.common.optional_packages import require
from keras_explainable.inspection.model_fingerprint import fingerprint
from keras_explainable.types import Model

_ADVICE = "Give the path of a .keras file, or a function that returns the model."


@dataclass(frozen=True)
class ShippedModel:
    """A model that any process can load.

    Attributes:
        file: Reference to the bytes of a .keras file in Ray's object store, which holds
            them once on each machine; None if there is no file.
        build: Function that returns the model, if there is no file.
        trusted: Whether Python code in the file may run, as it is the user's own.
    """

    file: Any = None
    build: Callable[[], Model] | None = None
    trusted: bool = False

    def load(self) -> Model:
        """Return the model.

        Raises:
            ValueError: If Keras cannot load it in this process.
        """
        if self.build is not None:
            return self.build()
        content = require("ray", "ray").get(self.file)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.keras")
            path.write_bytes(content)
            try:
                return keras.models.load_model(
                    path, compile=False, safe_mode=not self.trusted
                )
            except Exception as error:  # Keras and custom layers may raise anything.
                raise ValueError(
                    "`model` must be one that Keras can load in another process; "
                    f"received one that fails with {_first_line(error)}. {_ADVICE}"
                ) from error

    def fingerprint(self) -> str:
        """Return a hash of the weights, equal in all processes."""
        return fingerprint(self.load())


def shipped_model(model: Any) -> ShippedModel:
    """Return a model, the path of a file, or a function without arguments, to be sent.

    Raises:
        TypeError: If ``model`` is none of these.
        ValueError: If a model cannot be saved, or a path names no file.
    """
    put = require("ray", "ray").put
    if isinstance(model, str | os.PathLike):
        return ShippedModel(put(_read(Path(model))))
    if isinstance(model, keras.Model):
        return ShippedModel(put(_saved(model)), trusted=True)
    if isinstance(model, type) or not callable(model):
        raise TypeError(
            "`model` must be a Keras model, the path of a .keras file, or a function "
            f"that returns a model; received {model!r}."
        )
    return ShippedModel(build=model)


def _read(path: Path) -> bytes:
    if path.suffix != ".keras" or not path.is_file():
        raise ValueError(
            f"`model` must be the path of a .keras file; received {str(path)!r}."
        )
    return path.read_bytes()


def _saved(model: Model) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        try:
            model.save(path)
        except Exception as error:  # Custom layers may raise anything.
            raise ValueError(
                "`model` must be one that Keras can save, to be sent to other "
                f"processes; received {model.name!r}, which fails with "
                f"{_first_line(error)}. {_ADVICE}"
            ) from error
        return path.read_bytes()


def _first_line(error: Exception) -> str:
    lines = [line for line in map(str.strip, str(error).splitlines()) if line]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else repr(error)
