"""The tensors of a graph that are features, rather than weights of others."""

import math
from collections.abc import Collection
from typing import Any

import keras

from keras_explainable.common.structures import flatten
from keras_explainable.network.activations import activation_of
from keras_explainable.network.graph import Graph, Step, ids
from keras_explainable.network.layers_of_user import calls_user
from keras_explainable.network.operation_kinds import QUOTIENTS, keras_name
from keras_explainable.network.operations_of_call import example_operations

_DIVISIONS = QUOTIENTS | {"DivideNoNan"}

#: Steps that sum over an axis of what they multiply, and those that only multiply.
_CONTRACTIONS = {"Dot", "Einsum", "Matmul", "Tensordot"}
_PRODUCTS = {"Multiply", *_CONTRACTIONS}

#: Functions whose values are from 0 to 1, such as those of gates.
_GATES = {"hard_sigmoid", "sigmoid", "softmax", "sparse_sigmoid"}


def calls_at_positions(graph: Graph, calls: Collection[Step]) -> list[Step]:
    """Return the calls but for those behind attention pooling of several heads.

    Args:
        graph: Graph without nested models.
        calls: Calls in it.
    """
    pooled = _pooled(graph)
    return [call for call in calls if not _writes(call, pooled)]


def calls_with_features(graph: Graph, calls: Collection[Step]) -> list[Step]:
    """Return the calls but for scores of attention pooling, other gates and divisors.

    Args:
        graph: Graph without nested models.
        calls: Calls in it.
    """
    features = _features(graph)
    return [call for call in calls if _writes(call, features)]


def _writes(step: Step, symbols: Collection[int]) -> bool:
    return not ids(step.outputs).isdisjoint(symbols)


def _features(graph: Graph, gates: Collection[int] = ()) -> set[int]:
    """Return the ids of the tensors that the outputs depend on as features.

    Args:
        graph: Graph without nested models.
        gates: Ids of inputs that are gates.
    """
    known = _gates(graph, gates)
    found = ids(graph.outputs)
    for step in reversed(graph.steps):
        if _writes(step, found):
            found |= ids(_read_as_features(step, known))
    return found


def _gates(graph: Graph, first: Collection[int]) -> set[int]:
    """Return the ids of gates: what a sigmoid or softmax outputs, moved or as it is."""
    found = {*first}
    for step in graph.steps:
        read = ids(step.reads)
        moved = read and read <= found and not getattr(step.operation, "weights", None)
        if moved or _is_gate(step):
            found |= ids(step.outputs)
    return found


def _is_gate(step: Step) -> bool:
    activation = activation_of(step.operation)
    named = getattr(activation, "__name__", "")
    return bool({named, keras_name(step.operation).lower()} & _GATES)


def _read_as_features(step: Step, gates: Collection[int]) -> list[keras.KerasTensor]:
    """Return what a step reads but for weights of the rest, and divisors."""
    reads, name = [*step.reads], keras_name(step.operation)
    if name in _DIVISIONS:
        return reads[:1]
    if name in _PRODUCTS:
        return [x for x in reads if id(x) not in gates] or reads
    if len(reads) > 1 and calls_user(step.operation):
        return _read_inside(step, gates) or reads
    return reads


def _read_inside(step: Step, gates: Collection[int]) -> list[keras.KerasTensor]:
    """Return what a layer of the user's reads as features; none if it is not known."""
    inner = example_operations(step)
    inputs = [] if inner is None else flatten(inner.inputs)
    if inner is None or len(inputs) != len(step.reads):  # As with a mask by name.
        return []
    pairs = [*zip(step.reads, inputs, strict=True)]
    features = _features(inner, {id(x) for read, x in pairs if id(read) in gates})
    return [read for read, x in pairs if id(x) in features]


def _pooled(graph: Graph) -> set[int]:
    """Return the ids of tensors of which no axis is that of the positions any more.

    Weights of queries, and tensors that keep positions, give them back.
    """
    gates, found = _gates(graph, ()), set[int]()
    for step in graph.steps:
        values = [x for x in step.reads if id(x) not in gates and len(x.shape) > 2]
        contracts = keras_name(step.operation) in _CONTRACTIONS and len(step.reads) == 2
        given_back = contracts and len(values) < 2
        left = values and all(id(x) in found for x in values)
        if (left and not given_back) or (given_back and _pools(step, values, found)):
            found |= ids(step.outputs)
    return found


def _pools(step: Step, values: list[Any], pooled: Collection[int]) -> bool:
    """Return whether a product weighs and sums positions, once for each of some heads.

    Queries, which are positions too, are no fewer than the positions that are summed.
    """
    if not values or id(values[0]) in pooled:
        return False
    sizes = (
        math.prod(n or math.inf for n in x.shape[1:-1])
        for x in (values[0], flatten(step.outputs)[0])
    )
    before, after = sizes
    return after < before
