"""The tensors of a graph that are features, rather than weights of others."""

from collections.abc import Collection

import keras

from keras_explainable.common.structures import flatten
from keras_explainable.network.activations import activation_of
from keras_explainable.network.graph import Graph, Step, ids
from keras_explainable.network.layers_of_user import calls_user
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.network.operations_of_call import example_operations

_DIVISIONS = {"Divide", "DivideNoNan", "TrueDivide"}

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
    """Return the ids of tensors of which no axis is that of the positions any more."""
    gates, found = _gates(graph, ()), set[int]()
    for step in graph.steps:
        if not ids(step.reads).isdisjoint(found) or _pools(step, gates):
            found |= ids(step.outputs)
    return found


def _pools(step: Step, gates: Collection[int]) -> bool:
    """Return whether a step weighs and sums positions, once for each of some heads."""
    named = keras_name(step.operation) in _CONTRACTIONS
    if not named or not isinstance(step.outputs, keras.KerasTensor):
        return False
    values = [x for x in step.reads if id(x) not in gates]
    if len(values) != 1 or len(step.reads) != 2:
        return False
    before, after = values[0].shape[1:-1], step.outputs.shape[1:-1]
    return len(before) != len(after) or any(
        None not in pair and pair[0] != pair[1]
        for pair in zip(before, after, strict=True)
    )
