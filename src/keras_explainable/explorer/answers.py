"""What a page is told of images and maps."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_explainable.common import checks
from keras_explainable.explorer import reproduction
from keras_explainable.explorer.estimates import Estimate
from keras_explainable.explorer.explored_model import ExploredImages, ExploredModel
from keras_explainable.explorer.kept_estimates import KeptEstimates
from keras_explainable.explorer.settings import Request
from keras_explainable.metrics import relevance_mass_accuracy

Message = Mapping[str, Any]


def image_key(message: Message) -> int:
    """Return the key of the image that a message names."""
    key = message.get("image")
    checks.integer("image", key, 0)
    return int(key)  # type: ignore[arg-type]


def check_unit(unit: int, model: ExploredModel) -> None:
    """Raise ValueError if the model has no such unit."""
    checks.integer("unit", unit, 0, len(model.classes) - 1)


def image_facts(key: int, images: ExploredImages) -> dict[str, Any]:
    """Return the scores of an image, and the size of its maps."""
    image, scores = images.image(key), images.scores(key)
    return {
        "kind": "image",
        "image": key,
        "size": [*image.pixels.shape[:2]],
        "scores": [_rounded(score) for score in scores.values.tolist()],
        "are_probabilities": scores.are_probabilities,
        "best": scores.best.tolist(),
    }


def known_errors(request: Request, kept: KeptEstimates) -> dict[str, Any]:
    """Return the errors that are known, by the number of repetitions."""
    every = kept.every(request.setting)
    errors = [(each.repetitions, each.relative_error(request.view)) for each in every]
    return {"errors": [pair for pair in errors if pair[1] is not None]}


def map_content(request: Request, estimate: Estimate) -> dict[str, Any]:
    """Return a map with its error, and whether it is what was asked for."""
    values, error = estimate.map(request.view), estimate.relative_error(request.view)
    return {
        "kind": "map",
        "image": request.setting.image,
        "unit": request.setting.unit,
        "shape": [*values.shape],
        "repetitions": estimate.repetitions,
        "error": error,
        "done": request.is_met(estimate.repetitions, error),
    }


def _point(
    message: Message, request: Request, estimate: Estimate, images: ExploredImages
) -> dict[str, Any]:
    """Return the value of the map at a pixel, with its standard error."""
    values = estimate.map(request.view)
    row = _place(message, "y", values.shape[0])
    column = _place(message, "x", values.shape[1])
    error = estimate.standard_error(request.view, lambda x: float(x[row, column]))
    value, largest = float(values[row, column]), float(abs(values).max())
    rank = float((abs(values) <= abs(value)).mean())
    return {
        "x": column,
        "y": row,
        "value": _rounded(value),
        "error": _rounded(error),
        "largest": _rounded(largest),
        "rank": rank,
    }


def _box(
    message: Message, request: Request, estimate: Estimate, images: ExploredImages
) -> dict[str, Any]:
    """Return the share of the map within a box, with its standard error."""
    height, width = estimate.map(request.view).shape
    rows = sorted(_place(message, name, height) for name in ("top", "bottom"))
    columns = sorted(_place(message, name, width) for name in ("left", "right"))
    mask = np.zeros((1, height, width), bool)
    mask[0, rows[0] : rows[1] + 1, columns[0] : columns[1] + 1] = True

    def share(values: Any) -> float:
        return float(relevance_mass_accuracy(values[None, ..., None], mask)[0, 0])

    error = estimate.standard_error(request.view, share)
    return {
        "rows": rows,
        "columns": columns,
        "share": _rounded(share(estimate.map(request.view))),
        "error": _rounded(error),
        "area": float(mask.mean()),
    }


def _lines(
    message: Message, request: Request, estimate: Estimate, images: ExploredImages
) -> dict[str, Any]:
    """Return the Python lines that compute the map."""
    image = images.image(request.setting.image)
    shown = request.setting, request.view, estimate.repetitions
    return {"text": reproduction.lines(images.model.code, image, *shown)}


#: Functions that answer the questions of a page on a map that it shows.
QUESTIONS: dict[str, Callable[..., dict[str, Any]]] = {
    "point": _point,
    "box": _box,
    "lines": _lines,
}


def _place(message: Message, name: str, count: int) -> int:
    value = message.get(name)
    checks.number(name, value, 0)
    return min(int(value), count - 1)  # type: ignore[arg-type]


def _rounded(value: float | None) -> float | None:
    """Return a number that JSON can write, of six digits."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}")
