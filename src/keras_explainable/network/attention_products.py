"""Attention in a graph, found by its shape.

It is a softmax whose probabilities weigh, in a matrix product, values that depend on
the input, as the scores do.
"""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
from keras import layers, ops

from keras_explainable.network.activations import is_identity
from keras_explainable.network.attention_weights import AttentionWeights
from keras_explainable.network.graph import Graph, Step, ids
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.types import Tensor

#: Steps between the probabilities and their product with the values.
_ELEMENTWISE = {"Cast", "Dropout", "Identity", "Multiply", "NanToNum", "Where"}
_ELEMENTWISE |= {"PlacedKeys"}


class Attention(NamedTuple):
    """Attention in a graph.

    Attributes:
        name: The layer that it belongs to, or the softmax.
        symbol: The tensor of the probabilities.
        order: Its axes in the order (B, ..., queries, keys).
        values: The tensor of the values that they weigh.
        axes: Number of axes of the keys, and of the queries, such as two of a grid.
    """

    name: str
    symbol: Any
    order: tuple[int, ...]
    values: Any
    axes: int = 1


def attentions_of(graph: Graph) -> list[Attention]:
    """Return all attention in a graph without nested models, in order."""
    reached = _dependent_on_input(graph)
    found = []
    for step in graph.steps:
        if is_softmax(step) and id(step.reads[0]) in reached:
            found += [*_uses(graph, step, reached)][:1]
    return found


def is_softmax(step: Step) -> bool:
    """Return whether a step is a softmax of a tensor that has rows of its own."""
    operation = step.operation
    if not step.reads or len(step.reads[0].shape) < 3:
        return False
    if isinstance(operation, AttentionWeights):
        return True
    activation = getattr(operation, "activation", None)
    kind = activation if isinstance(operation, layers.Activation) else type(operation)
    return getattr(kind, "__name__", "").lower() == "softmax"


def _dependent_on_input(graph: Graph) -> set[int]:
    reached = ids(graph.inputs)
    for step in graph.steps:
        if reached & ids(step.reads):
            reached |= ids(step.outputs)
    return reached


def _uses(graph: Graph, softmax: Step, reached: set[int]) -> Iterator[Attention]:
    """Yield the products in which the probabilities weigh values, as attention."""
    same = {id(softmax.outputs): softmax}
    for step in graph.steps:
        mine = [x for x in step.reads if id(x) in same]
        others = [x for x in step.reads if id(x) not in same]
        if not mine:
            continue
        equation = _equation(step)
        if equation is None:
            if _keeps_values(step, mine[0]):
                same[id(step.outputs)] = step
        elif len(others) == len(mine) == 1 and id(others[0]) in reached:
            first = step.reads[0] is mine[0]
            axes = _axes(softmax)
            order = _order(equation if first else _swapped(equation), axes)
            if order is not None:
                name = _name(mine[0], softmax)
                yield Attention(name, mine[0], order, others[0], len(axes))


def _name(symbol: Any, softmax: Step) -> str:
    path, within, _ = symbol.name.rpartition("/")
    return path if within else softmax.operation.name


def _keeps_values(step: Step, symbol: Any) -> bool:
    """Return whether a step changes no more than single probabilities."""
    one = isinstance(step.outputs, keras.KerasTensor)
    return (
        one
        and len(step.outputs.shape) == len(symbol.shape)
        and not getattr(step.operation, "weights", None)
        and (keras_name(step.operation) in _ELEMENTWISE or is_identity(step))
    )


def _axes(softmax: Step) -> tuple[int, ...]:
    """Return the axes of a softmax."""
    axis, rank = getattr(softmax.operation, "axis", -1), len(softmax.reads[0].shape)
    if isinstance(softmax.operation, AttentionWeights):
        return (len(softmax.outputs.shape) - 1,)
    axes = axis if isinstance(axis, tuple | list) else [axis]
    return () if None in axes else tuple(each % rank for each in axes)


#: The axes of two factors and of their product, as letters.
Equation = tuple[str, str, str]


def _equation(step: Step) -> Equation | None:
    """Return the axes of a matrix product; None for other steps."""
    kind = keras_name(step.operation)
    if len(step.reads) != 2:
        return None
    ranks = [len(x.shape) for x in step.reads]
    if kind == "Einsum":
        return _parsed(step.operation.subscripts)
    if kind == "Matmul" and ranks[0] == ranks[1] > 2:
        rest = "abcdefgh"[: ranks[0] - 2]
        return f"{rest}xy", f"{rest}yz", f"{rest}xz"
    if isinstance(step.operation, layers.Dot) and ranks == [3, 3]:
        axes = step.operation.axes
        left, right = [axes, axes] if isinstance(axes, int) else axes
        return _of_dot(left % 3, right % 3)
    return None


def _of_dot(left: int, right: int) -> Equation:
    first, second = ("axy", "ayx")[left == 1], ("ayz", "azy")[right == 2]
    return first, second, "axz"


def _parsed(subscripts: str) -> Equation | None:
    given, _, result = subscripts.replace(" ", "").partition("->")
    factors = given.split(",")
    if len(factors) != 2 or not result or "." in subscripts:
        return None
    return factors[0], factors[1], result


def _swapped(equation: Equation) -> Equation:
    return equation[1], equation[0], equation[2]


def _order(equation: Equation, axes: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the axes (B, ..., queries, keys) of the first factor, if it is attention.

    Keys are the axes along which probabilities add up to 1, and over which the product
    sums. Queries are as many axes of the result that the values do not have.
    """
    weights, values, result = equation
    if not axes or max(axes) >= len(weights):
        return None
    keys = [weights[axis] for axis in axes]
    queries = [x for x in weights if x in result and x not in values]
    if len(queries) != len(keys) or any(x not in values or x in result for x in keys):
        return None
    last = [*(weights.index(x) for x in queries), *axes]
    rest = [k for k in range(len(weights)) if k not in last]
    return (*rest, *last) if all(weights[k] in values for k in rest) else None


def as_heads(probabilities: Tensor, attention: Attention, rows: int) -> Tensor:
    """Return probabilities as (B, heads, queries, keys); (B, windows, ...) of windows.

    Args:
        probabilities: Tensor whose first axis has B rows, or those of all windows.
        attention: Says what its axes are.
        rows: B.
    """
    x, count = ops.transpose(probabilities, attention.order), attention.axes
    if count > 1:
        rest, tokens = x.shape[1 : -2 * count], math.prod(x.shape[-count:])
        x = ops.reshape(x, (-1, *rest, math.prod(x.shape[-2 * count : -count]), tokens))
    if len(x.shape) == 3:
        x = ops.expand_dims(x, 1)
    return x if x.shape[0] in (rows, None) else ops.reshape(x, (rows, -1, *x.shape[1:]))
