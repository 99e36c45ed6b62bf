"""Why a unit has no derivatives by the input."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten, is_float
from keras_explainable.network.graph import Graph, GraphModel
from keras_explainable.network.output_units import first_output
from keras_explainable.network.trace_model import trace
from keras_explainable.types import Model, Tensor

UNKNOWN = "no derivative gets through to the input"


def vanishing_reason(
    model: Model, inputs: Nested, unit: int, number: int = 0
) -> str | None:
    """Return where the derivatives of a unit end on their way to an input, and why.

    In words that go on a sentence.

    Args:
        model: what was explained.
        inputs: of one sample, (1, ...).
        unit: its derivatives are zero.
        number: of the input, where there are several.

    Returns:
        None if the input does get derivatives.
    """
    graph = model.graph if isinstance(model, GraphModel) else trace(model)
    if graph is None:
        return UNKNOWN
    values, derivatives = _everywhere(graph, inputs, unit)
    for step in reversed(graph.steps):
        written = [id(x) for x in flatten(step.outputs)]
        reads = [id(x) for x in step.reads if id(x) in derivatives]
        reached = any(derivatives[x].any() for x in written if x in derivatives)
        if reached and not any(derivatives[x].any() for x in reads):
            name = step.operation.name
            return f"no derivative gets through {name!r}, {_reason(values, written)}"
    entered = derivatives.get(id(flatten(graph.inputs)[number]))
    return None if entered is not None and entered.any() else UNKNOWN


def _everywhere(graph: Graph, inputs: Nested, unit: int) -> tuple[Any, Any]:
    """Return all values, and the derivatives of a unit by them, by symbol."""
    values = {key: x for key, x in graph.values(inputs).items() if is_float(x)}
    zeros = {key: ops.zeros_like(x) for key, x in values.items()}
    entered = flatten(inputs)

    def outputs(taps: list[Tensor]) -> tuple[Tensor, tuple[()]]:
        named = dict(zip(zeros, taps, strict=True))
        first = [id(x) for x in flatten(graph.inputs)]
        shifted = [
            x + named[key] if key in named else x
            for x, key in zip(entered, first, strict=True)
        ]
        packed = keras.tree.pack_sequence_as(graph.inputs, shifted)
        return first_output(graph.run(packed, named)), ()

    found, pullback, _ = backend.vjp(outputs, [*zeros.values()])
    one = ops.one_hot([unit], found.shape[-1], dtype=found.dtype)
    pulled = [ops.convert_to_numpy(x) for x in pullback(one)]
    return values, dict(zip(zeros, pulled, strict=True))


def _reason(values: Any, written: list[int]) -> str:
    found = [ops.convert_to_numpy(values[key]) for key in written if key in values]
    if found and not any(map(np.any, found)):
        return "which puts out zeros only, as a dead ReLU does"
    if found and all(np.isin(np.round(x, 6), (-1, 0, 1)).all() for x in found):
        return "which is saturated: it puts out -1, 0 and 1 only"
    return "which has no derivative there"
