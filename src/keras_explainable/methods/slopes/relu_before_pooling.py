"""ReLUs before max pooling: their maxima, and which of them only the pooling reads."""

from collections.abc import Iterator, Mapping
from typing import Any

import keras
from keras import layers

from keras_explainable.methods.slopes.max_pooling import LOCAL
from keras_explainable.methods.slopes.nonlinearities import relu_max_value
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.operation_kinds import IDENTITIES

#: Layers that forward values of ReLUs unchanged, so that zeros are still theirs.
_FORWARDING = (
    *IDENTITIES, *LOCAL, layers.Concatenate, layers.ZeroPadding1D,
    layers.ZeroPadding2D, layers.ZeroPadding3D,
)  # fmt: skip


def relus_before(
    pooling: Step, graph: Graph, times: Mapping[int, int]
) -> tuple[float | None, set[int]]:
    """Return the maximum of the ReLUs before a max pooling, and the ReLUs it owns.

    The maximum is None if other steps wrote some of the values, or if the ReLUs have
    different maxima. The pooling owns the ReLUs that nothing else reads: all of them or
    none, given by the ``id`` of their outputs.

    Args:
        pooling: A step that ``is_max_pooling``.
        graph: The graph of the step.
        times: How often each tensor of the graph is read.
    """
    path = [*_path(pooling.reads[0], graph)]
    sources = {id(x): writer for x, writer in path if type(writer) not in _FORWARDING}
    maxima = {*map(relu_max_value, sources.values())}
    relu_max = maxima.pop() if len(maxima) == 1 else None
    alone = all(times[id(x)] == 1 and type(writer) not in LOCAL for x, writer in path)
    return relu_max, {*sources} if alone and relu_max is not None else set()


def _path(
    tensor: keras.KerasTensor, graph: Graph
) -> Iterator[tuple[keras.KerasTensor, Any]]:
    """Yield a tensor and those that its values come from, with what wrote them."""
    step = graph.producer(tensor)
    yield tensor, step and step.operation
    if step is not None and type(step.operation) in _FORWARDING:
        for read in step.reads:
            yield from _path(read, graph)
