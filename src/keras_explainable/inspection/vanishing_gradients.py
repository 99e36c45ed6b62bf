"""Find the layer at which the gradient of a unit vanishes, or is not finite."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten, is_float
from keras_explainable.inspection.target_layer import TargetLayer
from keras_explainable.network.graph import Graph, GraphModel, Step
from keras_explainable.network.layers_of_model import has_layer
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
    values, gradients = values_and_gradients(graph, inputs, unit)
    for step in reversed(graph.steps):
        written = [id(x) for x in flatten(step.outputs)]
        reads = [id(x) for x in step.reads if id(x) in gradients]
        reached = any(gradients[x].any() for x in written if x in gradients)
        if reached and not any(gradients[x].any() for x in reads):
            reason = "which is constant there"
            if not _is_target(step):
                reason = _reason(values, written)
            return f"no gradient gets through {_named(step)}, {reason}"
    gradient = gradients.get(id(flatten(graph.inputs)[position]))
    return None if gradient is not None and gradient.any() else UNKNOWN


def nonfinite_reason(model: Model, inputs: Nested) -> str:
    """Return a clause that says where the first value or derivative is not finite.

    Args:
        model: Model that was explained.
        inputs: Inputs of one sample, (1, ...).
    """
    graph = model.graph if isinstance(model, GraphModel) else trace(model)
    if graph is None:
        return "they arise in a model whose layers are not known"
    values, gradients = values_and_gradients(graph, inputs, None)
    for step in graph.steps:
        if not _finite(values, flatten(step.outputs)):
            return f"they arise in the outputs of {_named(step)}"
    for step in reversed(graph.steps):
        if not _finite(gradients, step.reads):
            return f"they arise in the derivative of {_named(step)}"
    if has_layer(model, keras.layers.Masking):
        return "the method's inputs may have had no step that `Masking` shows"
    return "the network's own derivatives are finite, and the method's result is not"


def _finite(arrays: Any, symbols: Any) -> bool:
    found = [arrays[id(x)] for x in symbols if id(x) in arrays]
    return all(np.isfinite(ops.convert_to_numpy(x)).all() for x in found)


def _named(step: Step) -> str:
    """Return how to call a step; a function given for ``y`` is no layer."""
    name = step.operation.name
    return "the function given for `y`" if _is_target(step) else f"{name!r}"


def _is_target(step: Step) -> bool:
    return isinstance(step.operation, TargetLayer)


def values_and_gradients(
    graph: Graph, inputs: Nested, unit: int | None
) -> tuple[Any, Any]:
    """Return all values and the gradients of a unit by them, by the id of a symbol.

    None takes the sum of all units.
    """
    values = {key: x for key, x in graph.values(inputs).items() if is_float(x)}
    zeros = {key: ops.zeros_like(x) for key, x in values.items()}

    def outputs(taps: list[Tensor]) -> tuple[Tensor, tuple[()]]:
        by_symbol = dict(zip(zeros, taps, strict=True))
        packed = keras.tree.pack_sequence_as(graph.inputs, flatten(inputs))
        return as_units(graph.run(packed, by_symbol), inputs), ()

    units, pullback, _ = backend.vjp(outputs, [*zeros.values()])
    chosen = ops.ones_like(units)
    if unit is not None:
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
