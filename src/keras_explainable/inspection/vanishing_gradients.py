"""Find the layer at which the gradient of a unit vanishes."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten, is_float
from keras_explainable.network.graph import Graph, GraphModel, with_offset
from keras_explainable.network.output_units import as_units
from keras_explainable.network.trace_model import trace
from keras_explainable.types import Model, Tensor

UNKNOWN = "no gradient reaches the input"


def vanishing_reason(
    model: Model, inputs: Nested, unit: int, position: int = 0
) -> str | None:
    """Return a clause that says which layer stops the gradient of a unit, and why.

    Args:
        model: Model that was explained.
        inputs: Inputs of one sample, (1, ...).
        unit: Unit whose gradient is zero.
        position: Position of the input, if the model has several.

    Returns:
        The clause, or None if the gradient of the unit by the input is not zero.
    """
    graph = model.graph if isinstance(model, GraphModel) else trace(model)
    if graph is None:
        return UNKNOWN
    values, gradients = _values_and_gradients(graph, inputs, unit)
    for step in reversed(graph.steps):
        written = [id(x) for x in flatten(step.outputs)]
        reads = [id(x) for x in step.reads if id(x) in gradients]
        reached = any(gradients[x].any() for x in written if x in gradients)
        if reached and not any(gradients[x].any() for x in reads):
            name = step.operation.name
            return f"no gradient gets through {name!r}, {_reason(values, written)}"
    gradient = gradients.get(id(flatten(graph.inputs)[position]))
    return None if gradient is not None and gradient.any() else UNKNOWN


def _values_and_gradients(graph: Graph, inputs: Nested, unit: int) -> tuple[Any, Any]:
    """Return all values and the gradients of a unit by them, by the id of a symbol."""
    values = {key: x for key, x in graph.values(inputs).items() if is_float(x)}
    zeros = {key: ops.zeros_like(x) for key, x in values.items()}
    keys = [id(symbol) for symbol in flatten(graph.inputs)]

    def outputs(taps: list[Tensor]) -> tuple[Tensor, tuple[()]]:
        by_symbol = dict(zip(zeros, taps, strict=True))
        tapped = [*map(with_offset, flatten(inputs), map(by_symbol.get, keys))]
        packed = keras.tree.pack_sequence_as(graph.inputs, tapped)
        return as_units(graph.run(packed, by_symbol), inputs), ()

    units, pullback, _ = backend.vjp(outputs, [*zeros.values()])
    chosen = ops.one_hot([unit], units.shape[-1], dtype=units.dtype)
    gradients = [ops.convert_to_numpy(x) for x in pullback(chosen)]
    return values, dict(zip(zeros, gradients, strict=True))


def _reason(values: Any, written: list[int]) -> str:
    arrays = [ops.convert_to_numpy(values[key]) for key in written if key in values]
    if arrays and not any(map(np.any, arrays)):
        return "which outputs only zeros, as a dead ReLU does"
    if arrays and all(np.isin(np.round(x, 6), (-1, 0, 1)).all() for x in arrays):
        return "which is saturated: it outputs only -1, 0 and 1"
    return "which has no derivative there"
