"""Operations that are called twice with the same arguments, made one step."""

from collections.abc import Container, Hashable
from typing import Any

import keras

from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.operation_kinds import keras_name


def with_equal_steps_merged(graph: Graph, names: Container[str]) -> Graph:
    """Return the graph in which equal operations of some kinds run once.

    Args:
        graph: Graph without nested models.
        names: Names of classes of operations.
    """
    renamed, first, steps = dict[int, Any](), dict[Hashable, Step](), list[Step]()
    for step in graph.steps:
        step = step.reading(renamed)
        key = _key(step) if keras_name(step.operation) in names else id(step)
        if key in first:
            renamed[id(step.outputs)] = first[key].outputs
        else:
            first[key] = step
            steps.append(step)
    return graph.rewritten(steps, renamed) if renamed else graph


def _key(step: Step) -> Hashable:
    """Return a key that is equal for equal computations of an operation of Keras'."""
    own = vars(step.operation).items()
    settings = [(k, x) for k, x in own if not (k.startswith("_") or k == "name")]
    arguments = [_shown(x) for x in keras.tree.flatten((step.args, step.kwargs))]
    return keras_name(step.operation), str(settings), str(arguments)


def _shown(argument: Any) -> Any:
    return argument if isinstance(argument, bool | int | float) else id(argument)
