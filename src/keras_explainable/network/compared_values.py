"""Values of inputs that a model takes for padding, as it compares them with a number.

With noise, no value would be equal to that number, and all of them would count. What
looks like padding is taken for it only if the outputs do not depend on it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, first_of, flatten, is_float
from keras_explainable.network.graph import Graph, Step, symbols_in
from keras_explainable.network.ignored_values import ignored_values
from keras_explainable.network.operation_kinds import MOVES, keras_name
from keras_explainable.network.quantity_columns import ELEMENTWISE
from keras_explainable.network.time_distributed import operation_on_frames
from keras_explainable.types import Tensor

_EQUAL = {"Equal", "NotEqual"}
_ORDER = {"Greater", "GreaterEqual", "Less", "LessEqual"}

#: Sequences (B, steps, features) have three. In images, order tells bright from dark.
_MOST_AXES = 3

#: Operations between an input and a comparison that tells padding from values.
_BETWEEN = MOVES | ELEMENTWISE | _EQUAL | _ORDER
_BETWEEN |= {
    "All", "Any", "CountNonzero", "Isclose", "LogicalAnd", "LogicalNot", "LogicalOr",
    "Max", "Mean", "Min", "Norm", "OnesLike", "Square", "Sum", "ZerosLike",
}  # fmt: skip


@dataclass(frozen=True)
class _Comparison:
    """What is known of values of an input (B, ..., C) as they are compared.

    Attributes:
        number: Position of the input.
        step: Comparison of every value with a number; None if positions (B, ...) are
            told from each other.
    """

    number: int
    step: Step | None = None

    def alike(self, values: np.ndarray) -> np.ndarray:
        """Return which values (..., C) of one sample may be padding: equal ones."""
        if self.step is None:
            return _most_frequent(values)
        number: Any = _number_of(self.step)
        if _name(self.step) in _EQUAL:
            return np.equal(values, number)
        below, above = values < number, values > number
        sides = [x for x in (below, above) if x.any() and np.ptp(values[x]) == 0]
        # Zeros that are compared with 0 are those of a ReLU, rather than padding.
        return sides[0] if len(sides) == 1 else np.zeros(values.shape, bool)


@dataclass(frozen=True)
class ComparedValues:
    """The values of a model's inputs that may be padding.

    Attributes:
        graph: Graph without nested models.
        comparisons: Where values are compared.
    """

    graph: Graph
    comparisons: tuple[_Comparison, ...]

    def shown(self, inputs: Nested) -> list[tuple[int, Tensor]]:
        """Return positions of inputs, and which of their values (B, ...) count."""
        leaves = flatten(inputs)
        if not self.comparisons or any(map(backend.is_symbolic, leaves)):
            return []
        ignored = ignored_values(self.graph, leaves)
        values = [ops.convert_to_numpy(x) for x in leaves]
        found = list[tuple[int, Tensor]]()
        for each in self.comparisons:
            pairs = zip(values[each.number], ignored[each.number], strict=True)
            hidden = np.stack([unless_read(each.alike(x), free) for x, free in pairs])
            if hidden.any():
                found.append((each.number, ops.convert_to_tensor(~hidden)))
        return found


def compared_values(graph: Graph, changing: Sequence[int]) -> ComparedValues:
    """Return the values of inputs that are compared with a number.

    Args:
        graph: Graph without nested models.
        changing: Positions of inputs that methods change.
    """
    found = dict[Any, _Comparison]()
    # Further outputs are values that a method reads on the way to the first one.
    graph = replace(graph, outputs=first_of(graph.outputs)).pruned()
    differentiable = is_float(graph.outputs)
    for step in graph.steps if differentiable else ():
        if getattr(step.outputs, "dtype", None) == "bool":
            for each in _comparisons(graph, step, changing):
                found[each.number, id(each.step)] = each
    return ComparedValues(graph, tuple(found.values()))


def _comparisons(
    graph: Graph, step: Step, changing: Sequence[int]
) -> Iterator[_Comparison]:
    """Yield what one comparison tells of an input, or what joins some of them."""
    sources = graph.inputs_of(step.outputs)
    if len(sources) != 1 or sources[0] not in changing:
        return
    symbol = flatten(graph.inputs)[sources[0]]
    shape, found = tuple(symbol.shape), tuple(step.outputs.shape)
    names = [*map(_name, graph.between(symbol, step.outputs))]
    if len(shape) > _MOST_AXES and _ORDER & {*names}:
        return
    if found == shape and {*names[:-1]} <= MOVES and _number_of(step) is not None:
        yield _Comparison(sources[0], step)
    elif found in _of_positions(shape) and {*names} <= _BETWEEN:
        yield _Comparison(sources[0])


def _of_positions(shape: tuple[int | None, ...]) -> tuple[tuple[int | None, ...], ...]:
    """Return the shapes of what positions (B, ...) of an input (B, ..., C) have."""
    return (shape[:-1], (*shape[:-1], 1)) if len(shape) > 2 else ()


def _name(step: Step) -> str:
    return keras_name(operation_on_frames(step.operation))


def _number_of(step: Step) -> float | None:
    """Return the number that a comparison has on one of its sides; None if none."""
    others = [x for x in step.args if not symbols_in(x)]
    compares = _name(step) in _EQUAL | _ORDER and len(others) == 1
    return float(others[0]) if compares and np.ndim(others[0]) == 0 else None


def _most_frequent(values: np.ndarray) -> np.ndarray:
    """Return where all channels of values (..., C) have the most frequent number."""
    alike = np.broadcast_to(np.ptp(values, axis=-1, keepdims=True) == 0, values.shape)
    numbers, counts = np.unique(values[alike], return_counts=True)
    return alike & (values == numbers[counts.argmax()]) if len(numbers) else alike


def unless_read(alike: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """Return values that may be padding, or none if outputs depend on one of them."""
    return alike & ignored[alike].all()
