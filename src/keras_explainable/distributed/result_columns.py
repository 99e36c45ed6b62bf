"""The columns of a result: one row for each image."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_explainable.common.precision import storable
from keras_explainable.sampling.stats import Stats

Row = dict[str, Any]

#: The column that says why an image has no maps; "" if it has.
FAILURE = "failure"

#: The column with the first output of the model for the image.
PREDICTIONS = "predictions"


def rows_of(explanation: Any) -> Iterator[Row]:
    """Yield the logits, maps, units and error statistics of each image.

    Raises:
        ValueError: If there are maps for each of several inputs.
    """
    logits, maps, *stats = explanation
    if not isinstance(maps, np.ndarray):
        raise ValueError(
            "`method` must return one array of maps, to be a column; it returned "
            f"{type(maps).__name__}."
        )
    columns = {"logits": logits, "maps": storable(maps)}
    if explanation.units is not None:
        columns["units"] = explanation.units
    return rows_of_columns(columns | (errors_of(stats[0]) if stats else {}))


def errors_of(stats: Stats) -> dict[str, Any]:
    """Return the columns that tell how far the maps have converged."""
    return {
        "relative_error": stats.relative_error,
        "flip_rate": stats.flip_rate,
        "repetitions": stats.repetitions,
        "sigma": stats.sigma,
    }


def columns_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the columns of rows; those of different sizes are objects."""
    return {name: _column([row[name] for row in rows]) for name in rows[0]}


def blank(row: Row) -> Row:
    """Return the row of an image without results: NaN, and 0 in place of integers."""
    return {name: _blank(np.asarray(value)) for name, value in row.items()}


def rows_of_columns(columns: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the row of each image."""
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _blank(value: np.ndarray) -> np.ndarray:
    kind = value.dtype.kind
    return value if kind == "U" else np.full_like(value, np.nan if kind == "f" else 0)


def _column(values: list[Any]) -> Any:
    if len({np.shape(value) for value in values}) == 1:
        return np.stack(values)
    found = np.empty(len(values), object)
    found[:] = values
    return found
