"""The scores that a model outputs for each position, as in segmentation."""

from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from keras_explainable.common.structures import flatten
from keras_explainable.inspection.target_layer import TargetLayer
from keras_explainable.network.activations import activation_of
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.operation_kinds import LINEAR, MOVES, keras_name
from keras_explainable.network.time_distributed import operation_on_frames

#: Activations of scores. Those of features, such as ReLU, are not among them.
_ENDS = {"hard_sigmoid", "linear", "log_softmax", "sigmoid", "softmax", "tanh", ""}

#: Steps that scores go through, which may also join those of several scales.
_PASSED = MOVES | {
    "Activation", "Add", "Average", "Clip", "Dropout", "LogSoftmax", "Maximum",
    "Minimum", "Rescaling", "Resize", "Resizing", "Sigmoid", "Softmax", "Subtract",
    "Tanh", "UpSampling1D", "UpSampling2D", "UpSampling3D",
}  # fmt: skip


def scores_of_positions(graph: Graph) -> set[int]:
    """Return the ids of the scores of positions, from the layer that computes them on.

    They are the outputs, or what a function for ``y`` reads, and what these are before
    activations, resizing and reshaping, up to a linear layer. What a function reads is
    no score if it returns a number for each channel, as pooling does with features.

    Args:
        graph: Graph without nested models.
    """
    found, known = set[int](), dict[int, set[int]]()
    for end in _ends(graph):
        found |= _scores(graph, end, known)
    return found


def _ends(graph: Graph) -> Iterator[Any]:
    """Yield the outputs with positions."""
    for symbol in flatten(graph.outputs):
        step = graph.producer(symbol)
        of_target = step is not None and isinstance(step.operation, TargetLayer)
        read = step.reads if step is not None and of_target else [symbol]
        for end in read:
            pools = of_target and symbol.shape[-1] == end.shape[-1] > 1
            if len(end.shape) > 2 and not pools:
                yield end


def _scores(graph: Graph, symbol: Any, known: dict[int, set[int]]) -> set[int]:
    """Return the ids of scores, from the linear layer on; none without one.

    Those of tensors that were met before are ``known``.
    """
    if id(symbol) not in known:
        known[id(symbol)] = _scores_before(graph, symbol, known)
    return known[id(symbol)]


def _scores_before(graph: Graph, symbol: Any, known: dict[int, set[int]]) -> set[int]:
    step = graph.producer(symbol)
    if step is None or len(symbol.shape) < 3 or not _is_end(step):
        return set()
    if isinstance(operation_on_frames(step.operation), (*LINEAR, layers.EinsumDense)):
        return {id(symbol)}
    if keras_name(step.operation) not in _PASSED:
        return set()
    before = set[int]().union(*(_scores(graph, each, known) for each in step.reads))
    return before and {id(symbol)} | before


def _is_end(step: Step) -> bool:
    """Return whether a step has no activation, or one of scores."""
    activation = activation_of(step.operation)
    if isinstance(activation, keras.Layer):
        return False
    return getattr(activation, "__name__", "") in _ENDS
