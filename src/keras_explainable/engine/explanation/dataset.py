"""Explanations as data sets of xarray."""

from typing import Any

import numpy as np

from keras_explainable.common.optional_packages import require
from keras_explainable.common.precision import storable
from keras_explainable.engine.explanation.facts import Facts
from keras_explainable.engine.explanation.inputs import InputName, by_input

#: Names of the axes of a map, by their number.
SPACE = {0: (), 1: ("time",), 2: ("y", "x"), 3: ("z", "y", "x")}


def dataset(results: tuple[Any, ...], facts: Facts) -> Any:
    """Return an ``xarray.Dataset`` of results and their facts."""
    xarray = require("xarray", "results")
    logits, maps, *stats = results
    axes = (*_batch_axes(logits.ndim - 1), "unit")
    variables: dict[str, Any] = {"logits": (axes, storable(logits))}
    for name, part in by_input(maps, facts.several_inputs).items():
        named = _axes(part, logits.shape, axes, name)
        variables[_named("maps", name)] = (named, storable(part))
    for each in stats:
        for name, own in by_input(each, facts.several_inputs).items():
            variables[_named("relative_error", name)] = (axes, own.relative_error)
    coordinates: dict[str, Any] = {"image": np.arange(len(logits))}
    for name, values in (("units", facts.units), ("labels", facts.labels)):
        if values is not None:
            coordinates[name] = (axes, values)
    known = {
        "method": facts.method,
        "preprocessing": facts.preprocessing,
        "model": facts.model.value,
    }
    known = {name: value for name, value in known.items() if value is not None}
    return xarray.Dataset(variables, coordinates, known)


def _named(variable: str, name: InputName) -> str:
    return variable if name is None else f"{variable}_{name}"


def _batch_axes(count: int) -> list[str]:
    return ["image", "frame", *(f"frame_{n}" for n in range(2, count))][:count]


def _axes(
    maps: Any, shape: tuple[int, ...], axes: tuple[str, ...], name: InputName
) -> tuple[str, ...]:
    """Return the names of the axes of maps; those of several inputs are their own."""
    if isinstance(maps, list):
        raise ValueError(
            "`maps` must have one size for a data set, as `resizing=(height, width)` "
            f"gives them; received a list of {len(maps)} sizes."
        )
    if (*maps.shape[: len(shape) - 1], maps.shape[-1]) != shape:
        raise ValueError(
            "`maps` must have the first axes of the logits, and end in the axis of the "
            f"units, for a data set; received {maps.shape} for logits {shape}."
        )
    count = len(maps.shape) - len(shape)
    space = SPACE.get(count, tuple(f"axis_{n}" for n in range(count)))
    return (*axes[:-1], *(_named(axis, name) for axis in space), axes[-1])
