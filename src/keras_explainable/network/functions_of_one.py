"""Functions of single values that are written out, such as GELU, made one step.

Their constants then take no relevance, as those inside of Keras' own functions.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import keras

from keras_explainable.network.graph import Graph, Step, ids
from keras_explainable.network.operation_kinds import (
    QUOTIENTS,
    is_inverse,
    keras_name,
)
from keras_explainable.types import Tensor

#: Operations that keep a function of a value affine, if they read it once.
_AFFINE = {"Add", "Cast", "Multiply", "Negative", "Subtract"} | QUOTIENTS

#: Functions of single values that choose among what they read.
_CHOICES = {
    "Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd",
    "LogicalNot", "LogicalOr", "Maximum", "Minimum", "NotEqual", "Where",
}  # fmt: skip


def with_functions_of_one(graph: Graph, is_nonlinear: Callable[[Any], bool]) -> Graph:
    """Return the graph in which a function of single values is one step.

    Args:
        graph: Graph without nested models.
        is_nonlinear: Whether an operation is a nonlinear function of single values.
    """
    find = _Finder(graph, is_nonlinear)
    steps = tuple(find.function_of_one(step) or step for step in graph.steps)
    return replace(graph, steps=steps).pruned()


class JoinedSteps:
    """An implementation that runs several steps from one tensor to another."""

    def __init__(self, root: Any, steps: Iterable[Step], end: Any):
        self._graph = Graph((root,), tuple(steps), end)

    def __call__(self, x: Tensor) -> Tensor:
        """Return the value of the last step."""
        return self._graph.run((x,))


class _Finder:
    """Finds the functions that end in the steps of a graph."""

    def __init__(self, graph: Graph, is_nonlinear: Callable[[Any], bool]):
        self._is_nonlinear = is_nonlinear
        self._number = {
            id(symbol): number
            for number, step in enumerate(graph.steps)
            for symbol in keras.tree.flatten(step.outputs)
        }
        self._steps = graph.steps

    def function_of_one(self, end: Step) -> Step | None:
        """Return the step of a function that ends in ``end``; None without one."""
        if not self._joins(end) or self._is_affine(end):
            return None
        found = self._largest(end)
        if found is None:
            return None
        root, steps = self._without_affine_start(*found)
        if len(steps) < 2 or _is_scale(end, steps):
            return None
        joined = JoinedSteps(root, steps, end.outputs)
        return Step(end.operation, (root,), {}, end.outputs, joined)

    def _largest(self, end: Step) -> tuple[Any, list[Step]] | None:
        """Return the first tensor that alone determines ``end``, and the steps."""
        steps, reads = [end], {id(x): x for x in end.reads}
        found = None
        while True:
            if len(reads) == 1:
                [root] = reads.values()
                found = root, steps[::-1]
            last = max(reads, key=lambda symbol: self._number.get(symbol, -1))
            producer = self._producer(reads[last])
            if producer is None or not self._joins(producer):
                return found
            del reads[last]
            reads |= {id(x): x for x in producer.reads}
            steps.append(producer)

    def _producer(self, symbol: Any) -> Step | None:
        number = self._number.get(id(symbol))
        return None if number is None else self._steps[number]

    def _without_affine_start(
        self, root: Any, steps: list[Step]
    ) -> tuple[Any, list[Step]]:
        """A bias that is added before the function takes its share of relevance."""
        while True:
            readers = [step for step in steps if id(root) in ids(step.reads)]
            if len(readers) > 1 or not self._is_affine(readers[0]):
                return root, steps
            root = readers[0].outputs
            steps = [step for step in steps if step is not readers[0]]

    def _joins(self, step: Step) -> bool:
        """Return whether a step computes each value from those in the same place."""
        if not isinstance(step.outputs, keras.KerasTensor) or not step.reads:
            return False
        name = keras_name(step.operation)
        known = name in _AFFINE | _CHOICES or self._is_nonlinear(step.operation)
        shapes = {tuple(x.shape) for x in (step.outputs, *step.reads)}
        return known and len(shapes) == 1

    def _is_affine(self, step: Step) -> bool:
        """Return whether it is affine in what it reads, or a sum of such functions."""
        name = keras_name(step.operation)
        if name in ("Add", "Subtract"):
            return True
        divides = name in QUOTIENTS and bool(ids(step.args[1]) & ids(step.reads))
        return name in _AFFINE and len(step.reads) == 1 and not divides


def _is_scale(end: Step, steps: Iterable[Step]) -> bool:
    """Return whether a function only divides by a value, as normalizations do.

    One over a sum of exponentials is a sigmoid.
    """
    return is_inverse(end) and "Exp" not in {keras_name(x.operation) for x in steps}
