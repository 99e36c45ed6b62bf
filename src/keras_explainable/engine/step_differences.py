"""The derivative and the change of each operation of a network, side by side."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten
from keras_explainable.engine.exact_network import ExactGraph, as_array
from keras_explainable.network.graph import Graph, Step, substituted
from keras_explainable.network.inner_graph import inner_graph
from keras_explainable.types import Tensor

#: Part of a change, from which it counts as a change, and as one that has a kink.
NO_CHANGE, KINK = 0.02, 0.2

#: What a fault is where derivatives to both sides differ.
AT_KINK = "a kink or tie at the input"

Values = dict[int, np.ndarray]


class Fault(NamedTuple):
    """An operation, what is wrong with it, its derivative and its change.

    The operation of a layer of the user's is named with the layer. ``place`` is the
    position of the value at which the two differ most, without the axis of the batch:
    of a value that the operation reads if it is a function of single values, and of one
    that it writes at other kinks and ties. It is empty if it is not known.
    """

    operation: str
    kind: str
    derivative: float
    difference: float
    place: str = ""

    @property
    def excess(self) -> float:
        """The derivative, less the change."""
        return self.derivative - self.difference

    @property
    def size(self) -> float:
        """How far the derivative is from the change; infinite if it is no number."""
        if not np.isfinite(self.difference):
            return 0.0  # The derivative of an operation behind it is no number.
        return abs(self.excess) if np.isfinite(self.excess) else np.inf


class StepDifferences:
    """The derivatives and changes of the operations of a graph, for a small step."""

    def __init__(
        self,
        graph: ExactGraph,
        moved: Sequence[Nested],
        step: float,
        weights: Sequence[Any],
        unnamed: bool = False,
    ):
        """Set up the values of all steps.

        Args:
            graph: Graph of operations.
            moved: Its inputs, and the same moved by ``step`` and by ``-step``.
            step: Step of the finite difference.
            weights: Derivatives of the score by the first outputs, in a flat list.
            unnamed: Whether operations that are no layers have no names of their own.
        """
        self.unnamed = unnamed
        self.graph, self.step = graph.graph, step
        self.tensors = graph.tensors(moved[0])
        self.at, self.ahead, self.behind = map(graph.values, moved)
        self.importance = _importance(self.graph, self.tensors, self.at, weights)
        self.change = {key: np.mean(self._slopes(key), axis=0) for key in self.at}

    @cached_property
    def faults(self) -> list[tuple[Fault, Step]]:
        """What each operation has on which the score depends."""
        return [
            (self._fault(step, written), step)
            for step in self.graph.steps
            if (written := self._written(step))
        ]

    @property
    def total(self) -> float:
        """The derivatives of all operations, less their changes."""
        return float(sum(fault.excess for fault, _ in self.faults))

    def _written(self, step: Step) -> list[Any]:
        return [x for x in flatten(step.outputs) if id(x) in self.importance]

    def _fault(self, step: Step, written: list[Any]) -> Fault:
        products = _products(step, self.tensors, self.change, self.importance)
        derivative = float(sum(product.sum() for product in products.values()))
        sides = np.sum([*map(self._sides, written)], axis=0)
        kind = _kind(derivative, *map(float, sides[1:]))
        place = self._place(products, written, kind)
        return Fault(self._name(step), kind, derivative, float(sides[0]), place)

    def _place(self, products: Values, written: list[Any], kind: str) -> str:
        """Return where the derivative is worst, as ``Fault.place`` has it."""
        if len(written) != 1:
            return ""
        key, weights = id(written[0]), self.importance[id(written[0])]
        if [x.shape for x in products.values()] == [weights.shape]:
            [(read, product)] = products.items()
            place = _largest(product - weights * self.change[key])
            return f"{_text(place)}, where it reads {self.at[read][place]:.3g}"
        if kind != AT_KINK:
            return ""
        forward, backward = self._slopes(key)
        return f"output {_text(_largest(weights * (forward - backward)))}"

    def _name(self, step: Step) -> str:
        """Return a name of a step, the same whenever it is made."""
        kind = type(step.operation)
        if not self.unnamed or isinstance(step.operation, keras.Layer):
            return f"{step.operation.name} ({kind.__name__})"
        same = [x for x in self.graph.steps if type(x.operation) is kind]
        number = next(k for k, x in enumerate(same, 1) if x is step)
        number_of = f" {number} of {len(same)}" if len(same) > 1 else ""
        return f"{kind.__name__}{number_of}"

    def _slopes(self, key: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the forward and backward differences of a value.

        Where one is no number, as beside the end of what a function is defined for, it
        is the other one.
        """
        forward = (self.ahead[key] - self.at[key]) / self.step
        backward = (self.at[key] - self.behind[key]) / self.step
        return (
            np.where(np.isfinite(forward), forward, backward),
            np.where(np.isfinite(backward), backward, forward),
        )

    def _sides(self, symbol: Any) -> np.ndarray:
        """Return the change of a score by a value, its curvature, and its size."""
        key = id(symbol)
        forward, backward = (self.importance[key] * x for x in self._slopes(key))
        size = (np.abs(forward) + np.abs(backward)).sum() / 2
        return np.array(
            [(forward + backward).sum() / 2, np.abs(forward - backward).sum(), size]
        )

    def inside(self, step: Step) -> "StepDifferences | None":
        """Return the same for the operations inside a step; None if not known."""
        args = substituted(step.args, self.tensors)
        inner = inner_graph(step, args)
        if inner is None:
            return None
        moved = [
            inner.taken(substituted(step.args, self.tensors | values))
            for values in (self.at, self.ahead, self.behind)
        ]
        weights = [self.importance.get(id(x)) for x in flatten(step.outputs)]
        weights = [None if x is None else inner.taken(x) for x in weights]
        graph = ExactGraph(inner.graph, inner.taken(args))
        return StepDifferences(graph, moved, self.step, weights, unnamed=True)


def _importance(
    graph: Graph, tensors: dict[int, Any], at: Values, weights: Sequence[Any]
) -> Values:
    """Return the derivatives of the score by each value that a step writes."""
    written = [x for step in graph.steps for x in flatten(step.outputs) if id(x) in at]
    taps = [ops.zeros(at[id(x)].shape, x.dtype) for x in written]
    inputs = substituted(graph.inputs, tensors)

    def run(taps: list[Tensor]) -> tuple[Tensor, Any]:
        offsets = {id(x): tap for x, tap in zip(written, taps, strict=True)}
        pairs = zip(flatten(graph.run(inputs, offsets)), weights, strict=False)
        return _score([(x, w) for x, w in pairs if w is not None]), ()

    outputs, pullback, _ = backend.vjp(run, taps)
    found = pullback(ops.ones_like(outputs))
    return {id(x): as_array(w) for x, w in zip(written, found, strict=True)}


def _products(
    step: Step, values: dict[int, Any], change: Values, importance: Values
) -> Values:
    """Return the derivatives by what a step reads, times the change of that.

    They add up to the derivative of the score along the change.
    """
    reads = {id(x): values[id(x)] for x in step.reads if id(x) in change}
    if not reads:
        return {}

    def score(read: list[Tensor]) -> tuple[Tensor, Any]:
        written = step.run(values | dict(zip(reads, read, strict=True))).items()
        pairs = [(x, importance[key]) for key, x in written if key in importance]
        return _score(pairs), ()

    outputs, pullback, _ = backend.vjp(score, [*reads.values()])
    found = pullback(ops.ones_like(outputs))
    pairs = zip(reads, found, strict=True)
    return {key: as_array(gradient) * change[key] for key, gradient in pairs}


def _score(pairs: Sequence[tuple[Tensor, Any]]) -> Tensor:
    """Return the weighted sum (1,) of tensors."""
    parts = [ops.sum(x * ops.cast(weights, x.dtype)) for x, weights in pairs]
    return ops.reshape(sum(parts[1:], parts[0]), (1,))


def _kind(derivative: float, curvature: float, size: float) -> str:
    if not np.isfinite(derivative):
        return "a derivative that is no finite number"
    if curvature > KINK * size:
        return AT_KINK
    if abs(derivative) <= NO_CHANGE * size:
        return "no derivative, though its values change"
    if size <= NO_CHANGE * abs(derivative):
        return "a derivative, though its values do not change"
    return "a wrong derivative"


def _largest(values: np.ndarray) -> tuple[Any, ...]:
    """Return the position of the largest magnitude, or of what is no number."""
    size = np.nan_to_num(np.abs(values), nan=np.inf)
    return np.unravel_index(size.argmax(), size.shape)


def _text(place: tuple[Any, ...]) -> str:
    return f"[{', '.join(map(str, place[1:]))}]"
