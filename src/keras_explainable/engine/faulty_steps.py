"""Which operations of a network have a derivative that differs from their change."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten
from keras_explainable.engine.exact_network import ExactNetwork, as_array
from keras_explainable.network.graph import Graph, Step
from keras_explainable.types import Tensor

#: Part of the largest disagreement from which an operation is named, too.
NAMED_FROM = 0.25

#: Part of a change, from which it counts as a change, and as one that has a kink.
NO_CHANGE, KINK = 0.02, 0.2

Values = dict[int, np.ndarray]


class Fault(NamedTuple):
    """An operation, what is wrong with it, its derivative and its change."""

    operation: str
    kind: str
    derivative: float
    difference: float


def faulty_steps(
    network: ExactNetwork,
    inputs: Nested,
    ends: Sequence[Nested],
    step: float,
    weights: Any,
) -> list[Fault]:
    """Return the operations to which a disagreement is due, the worst first.

    The disagreement of a network is the sum of those of its operations: of each, the
    derivative along the change of what it reads, and the change of what it writes, both
    weighted by the derivatives of the score.

    Args:
        network: Network that runs.
        inputs: One input (1, ...).
        ends: The input moved by ``step`` along a direction, and by ``-step``.
        step: Step of the finite difference.
        weights: Derivatives of the score by the outputs (1, units).
    """
    graph = network.graph
    if graph is None:
        return [Fault(network.name, "inner operations are not known", 0, 0)]
    tensors = graph.values([inputs])
    at, ahead, behind = map(network.values, (inputs, *ends))
    importance = _importance(graph, inputs, at, weights)
    change = {key: (ahead[key] - behind[key]) / (2 * step) for key in at}
    found = []
    for each in graph.steps:
        written = [x for x in flatten(each.outputs) if id(x) in importance]
        if written:
            derivative = _derivative(each, tensors, change, importance)
            sides = [_sides(x, at, ahead, behind, importance, step) for x in written]
            found.append(_fault(each, derivative, np.sum(sides, axis=0)))
    worst = max((abs(x.derivative - x.difference) for x in found), default=0)
    found.sort(key=lambda x: -abs(x.derivative - x.difference))
    named = [x for x in found if abs(x.derivative - x.difference) >= NAMED_FROM * worst]
    return [x for x in named if worst]


def _importance(graph: Graph, inputs: Nested, at: Values, weights: Any) -> Values:
    """Return the derivatives of the score by each value that a step writes."""
    written = [x for step in graph.steps for x in flatten(step.outputs) if id(x) in at]
    taps = [ops.zeros(at[id(x)].shape, x.dtype) for x in written]

    def run(taps: list[Tensor]) -> tuple[Tensor, Any]:
        offsets = {id(x): tap for x, tap in zip(written, taps, strict=True)}
        return flatten(graph.run([inputs], offsets))[0], ()

    outputs, pullback, _ = backend.vjp(run, taps)
    found = pullback(ops.cast(weights, outputs.dtype))
    return {id(x): as_array(w) for x, w in zip(written, found, strict=True)}


def _derivative(
    step: Step, values: dict[int, Any], change: Values, importance: Values
) -> float:
    """Return the derivative of what a step writes along the change of what it reads."""
    reads = {id(x): values[id(x)] for x in step.reads if id(x) in change}
    if not reads:
        return 0.0

    def score(read: list[Tensor]) -> tuple[Tensor, Any]:
        new = values | dict(zip(reads, read, strict=True))
        parts = [
            ops.sum(x * ops.cast(importance[key], x.dtype))
            for key, x in step.run(new).items()
            if key in importance
        ]
        return ops.reshape(sum(parts[1:], parts[0]), (1,)), ()

    outputs, pullback, _ = backend.vjp(score, [*reads.values()])
    found = pullback(ops.ones_like(outputs))
    products = [as_array(g) * change[key] for key, g in zip(reads, found, strict=True)]
    return float(sum(product.sum() for product in products))


def _sides(
    symbol: Any,
    at: Values,
    ahead: Values,
    behind: Values,
    importance: Values,
    step: float,
) -> np.ndarray:
    """Return the change of a score by a value, its curvature, and its size."""
    key = id(symbol)
    forward = importance[key] * (ahead[key] - at[key]) / step
    backward = importance[key] * (at[key] - behind[key]) / step
    size = (np.abs(forward) + np.abs(backward)).sum() / 2
    return np.array(
        [(forward + backward).sum() / 2, np.abs(forward - backward).sum(), size]
    )


def _fault(step: Step, derivative: float, sides: np.ndarray) -> Fault:
    difference, curvature, size = (float(x) for x in sides)
    if curvature > KINK * size:
        kind = "a kink or tie at the input"
    elif abs(derivative) <= NO_CHANGE * size:
        kind = "no derivative, though its values change"
    elif size <= NO_CHANGE * abs(derivative):
        kind = "a derivative, though its values do not change"
    else:
        kind = "a wrong derivative"
    operation = step.operation
    name = f"{operation.name} ({type(operation).__name__})"
    return Fault(name, kind, derivative, difference)
