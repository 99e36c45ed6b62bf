"""Tensors that have other rows than the model's inputs, such as windows of images.

A model may fold another axis into that of the batch: windows, patches, frames.
"""

from collections.abc import Iterable
from typing import Any

import keras
from keras import layers

from keras_explainable.common.structures import flatten
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.operation_kinds import keras_name

#: The number of rows of the inputs that are tried; few other sizes are multiples of it.
_ROWS = 11


def tensors_by_row(graph: Graph) -> set[int]:
    """Return the tensors with one row for each of the inputs, by the symbol's id.

    Others are folded, or have one row for all, such as embedded positions.

    Args:
        graph: Graph without nested models.
    """
    return {key for key, rows in _rows(graph).items() if rows == _ROWS}


def check_rows(graph: Graph, tensors: Iterable[Any]) -> None:
    """Raise ValueError if tensors have other rows than the inputs; not for single ones.

    Args:
        graph: Graph without nested models.
        tensors: Symbolic tensors of layers that a method shows.
    """
    rows = _rows(graph)
    if {rows.get(id(x)) for x in tensors} - {None, 1, _ROWS}:
        raise ValueError(
            "`layer` must have one row for each image; received one behind a step that "
            "folds another axis into that of the batch, such as windows or frames."
        )


def _rows(graph: Graph) -> dict[int, int | None]:
    """Return the number of rows of tensors that depend on the inputs."""
    sized = {id(x): _of_rows(x, _ROWS) for x in flatten(graph.inputs)}
    for step in graph.steps:
        if any(id(x) in sized for x in step.reads):
            pairs = zip(flatten(step.outputs), _written(step, sized), strict=True)
            sized |= {id(symbol): found for symbol, found in pairs}
    return {key: x.shape[0] for key, x in sized.items() if x.shape}


def _of_rows(symbol: Any, rows: int | None) -> keras.KerasTensor:
    return keras.KerasTensor((rows, *symbol.shape[1:]), symbol.dtype)


def _written(step: Step, sized: dict[int, Any]) -> list[Any]:
    """Return a step's outputs for the given number of rows."""
    rows = next(sized[id(x)].shape[0] for x in step.reads if id(x) in sized)
    kept = [_of_rows(x, rows) for x in flatten(step.outputs)]
    if _keeps_rows(step.operation):
        return kept
    try:
        new = step.reading(sized)
        found = flatten(new.operation.compute_output_spec(*new.args, **new.kwargs))
    except Exception:  # A layer of the user's may raise anything for symbols.
        return kept
    return found if len(found) == len(kept) else kept


def _keeps_rows(operation: Any) -> bool:
    """Return whether it is a layer of Keras', which treats each row by itself."""
    others = isinstance(operation, layers.Lambda | layers.Concatenate | layers.Wrapper)
    known = isinstance(operation, keras.Layer) and keras_name(operation) != ""
    return known and not others
