"""Evaluations as NumPy archives."""

import dataclasses
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from keras_explainable.evaluation.method_curves import MethodCurves

if TYPE_CHECKING:
    from keras_explainable.evaluation.evaluation import Evaluation

_ARRAYS = ("samples", "ids")
_TUPLES = ("methods", "metrics", "controls", "higher_is_better", "notes")
_LATER = "unfinished_ids"
_TEXT = "evaluation"


def write(evaluation: "Evaluation", file: BinaryIO) -> None:
    """Write an evaluation to an open file."""
    others = {name: getattr(evaluation, name) for name in (*_TUPLES, "facts", _LATER)}
    arrays: dict[str, Any] = {name: getattr(evaluation, name) for name in _ARRAYS}
    arrays[_TEXT] = np.array(json.dumps(others))
    for metric, curves in evaluation.curves.items():
        number = evaluation.metrics.index(metric)
        arrays |= {
            f"{name}_{number}": x for name, x in dataclasses.asdict(curves).items()
        }
    np.savez(file, **arrays)


def read(path: str | os.PathLike[str] | BinaryIO) -> dict[str, Any]:
    """Return the fields of the evaluation in a file, which may be open.

    Raises:
        ValueError: If the file is any other archive, or none.
    """
    if isinstance(path, str | os.PathLike):
        _check_is_archive(path)
    with np.load(path, allow_pickle=False) as file:
        missing = {*_ARRAYS, _TEXT} - {*file.files}
        if missing:
            raise _unknown(path, f"lacks {sorted(missing)}")
        arrays = {name: file[name] for name in file.files}
    others = json.loads(str(arrays.pop(_TEXT)))
    fields: dict[str, Any] = {name: tuple(others[name]) for name in _TUPLES}
    fields |= {name: arrays.pop(name) for name in _ARRAYS}
    fields["curves"] = _curves(arrays, fields["metrics"])
    fields[_LATER] = tuple(others.get(_LATER, ()))
    return fields | {"facts": others["facts"]}


def _check_is_archive(path: str | os.PathLike[str]) -> None:
    if Path(path).exists() and not zipfile.is_zipfile(path):
        raise _unknown(path, "is no archive")


def _curves(arrays: dict[str, Any], metrics: tuple[str, ...]) -> dict[str, Any]:
    return {
        metric: MethodCurves(arrays[f"fractions_{number}"], arrays[f"scores_{number}"])
        for number, metric in enumerate(metrics)
        if f"fractions_{number}" in arrays
    }


def _unknown(path: Any, reason: str) -> ValueError:
    return ValueError(
        "`path` must be an archive that `Evaluation.save` wrote; received "
        f"{str(path)!r}, which {reason}."
    )
