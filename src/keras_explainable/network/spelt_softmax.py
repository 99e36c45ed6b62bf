"""Softmax that is written as exp(z) / sum(exp(z)), made one step."""

from dataclasses import replace
from typing import Any

import numpy as np
from keras import layers, ops

from keras_explainable.network.equal_steps import with_equal_steps_merged
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.operation_kinds import QUOTIENTS, keras_name
from keras_explainable.types import Tensor


def with_softmax(graph: Graph) -> Graph:
    """Return the graph in which quotients exp(z) / sum(exp(z)) are steps of z.

    A small constant may be added to the sum, as custom layers do.

    Args:
        graph: Graph without nested models.
    """
    graph = with_equal_steps_merged(graph, ("Exp", "Max", "Subtract", "Sum"))
    return replace(graph, steps=tuple(_as_softmax(graph, x) for x in graph.steps))


def _as_softmax(graph: Graph, step: Step) -> Step:
    if keras_name(step.operation) not in QUOTIENTS or len(step.reads) != 2:
        return step
    exponential, total = step.reads
    exp, added = _producer(graph, exponential, "Exp"), _sum(graph, total)
    if exp is None or added is None or added[0].reads[0] is not exponential:
        return step
    total_step, epsilon = added
    axes = np.atleast_1d(total_step.operation.axis)
    if None in axes or not total_step.operation.keepdims:
        return step
    axis = int(axes[0]) if len(axes) == 1 else tuple(map(int, axes))
    layer = layers.Softmax(axis, name=f"{step.operation.name}_softmax")
    implementation = None if epsilon == 0 else _Scaled(layer, axis, epsilon)
    return Step(layer, (exp.reads[0],), {}, step.outputs, implementation)


def _producer(graph: Graph, symbol: Any, name: str) -> Step | None:
    step = graph.producer(symbol)
    return step if step is not None and keras_name(step.operation) == name else None


def _sum(graph: Graph, symbol: Any) -> tuple[Step, float] | None:
    """Return the step of a sum, and the constant that is added to it."""
    if (step := _producer(graph, symbol, "Sum")) is not None:
        return step, 0.0
    added = _producer(graph, symbol, "Add")
    if added is None or len(added.reads) != 1:
        return None
    [constant] = [x for x in added.args if x is not added.reads[0]] or [None]
    step = _producer(graph, added.reads[0], "Sum")
    return (step, constant) if step and isinstance(constant, float) else None


class _Scaled:
    """A softmax with a constant in its sum."""

    def __init__(self, softmax: layers.Softmax, axis: Any, epsilon: float):
        self.softmax, self.axis, self.epsilon = softmax, axis, epsilon

    def __call__(self, x: Tensor) -> Tensor:
        """Return exp(x) / (sum(exp(x)) + epsilon)."""
        total = ops.sum(ops.exp(x), axis=self.axis, keepdims=True)
        return self.softmax(x) * (total / (total + self.epsilon))
