"""Functions of single values that are written out, such as GELU, made one step.

Their constants then take no relevance, as those inside of Keras' own functions.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import keras

from keras_explainable.common.structures import is_float
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

#: A tensor, and the steps of a function of it.
_Found = tuple[Any, list[Step]]


def with_functions_of_one(graph: Graph, is_nonlinear: Callable[[Any], bool]) -> Graph:
    """Return the graph in which a function of single values is one step.

    That is a function in which a tensor is read several times and joined again, and one
    of a logarithm or quotient of exponentials. A function of a function stays two.

    Args:
        graph: Graph without nested models. Its outputs stay tensors of the graph.
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
        self._steps, self._outputs = graph.steps, ids(graph.outputs)

    def function_of_one(self, end: Step) -> Step | None:
        """Return the step of a function that ends in ``end``; None without one."""
        if not self._joins(end) or self._is_affine(end) or not is_float(end.outputs):
            return None
        several = len(ids(end.reads)) > 1
        found = self._branches(end) if several else self._to_exponential(end)
        if found is None:
            return None
        root, steps = self._without_affine_start(*found)
        inner = {key for step in steps[:-1] for key in ids(step.outputs)}
        if len(steps) < 2 or inner & self._outputs:
            return None
        joined = JoinedSteps(root, steps, end.outputs)
        return Step(end.operation, (root,), {}, end.outputs, joined)

    def _branches(self, end: Step) -> _Found | None:
        """Return the last tensor of which all that ``end`` reads is made."""
        steps, reads = [end], {id(x): x for x in end.reads}
        while len(reads) > 1:
            last = max(reads, key=lambda symbol: self._number.get(symbol, -1))
            producer = self._producer(reads.pop(last))
            if producer is None or not self._joins(producer):
                return None
            reads |= {id(x): x for x in producer.reads}
            steps.append(producer)
        return *reads.values(), steps[::-1]

    def _to_exponential(self, end: Step) -> _Found | None:
        """Return the tensor of whose exponential a logarithm or quotient is made."""
        if keras_name(end.operation) != "Log" and not is_inverse(end):
            return None
        steps, step = [end], self._producer(end.reads[0])
        while step is not None and self._joins(step) and len(step.reads) == 1:
            steps.append(step)
            if keras_name(step.operation) == "Exp":
                return step.reads[0], steps[::-1]
            step = self._producer(step.reads[0]) if self._is_affine(step) else None
        return None

    def _producer(self, symbol: Any) -> Step | None:
        number = self._number.get(id(symbol))
        return None if number is None else self._steps[number]

    def _without_affine_start(self, root: Any, steps: list[Step]) -> _Found:
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
