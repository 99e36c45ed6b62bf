"""The scores that a model outputs for each position, as in segmentation."""

from collections.abc import Iterator
from typing import Any

from keras_explainable.common.structures import flatten
from keras_explainable.inspection.target_layer import TargetLayer
from keras_explainable.network.graph import Graph, ids


def scores_of_positions(graph: Graph) -> set[int]:
    """Return the ids of the scores of positions, from the layer that computes them on.

    They are the outputs, or what a function for ``y`` reads, and what these are before
    activations, resizing and reshaping.

    Args:
        graph: Graph without nested models.
    """
    found = set[int]()
    for output in _ends(graph):
        for symbol in _before(graph, output):
            found.add(id(symbol))
    return found


def _ends(graph: Graph) -> Iterator[Any]:
    """Yield the outputs with positions."""
    for symbol in flatten(graph.outputs):
        step = graph.producer(symbol)
        of_target = step is not None and isinstance(step.operation, TargetLayer)
        ends = step.reads if step is not None and of_target else [symbol]
        yield from (each for each in ends if len(each.shape) > 2)


def _before(graph: Graph, symbol: Any) -> Iterator[Any]:
    """Yield a tensor, and those that it is computed of by steps without weights."""
    while len(symbol.shape) > 2:
        yield symbol
        step = graph.producer(symbol)
        if step is None or len(ids(step.reads)) != 1 or _weights(step.operation):
            return
        symbol = step.reads[0]


def _weights(operation: Any) -> Any:
    return getattr(operation, "weights", None)
