"""ReLUs before max pooling: their maxima, and which of them only the pooling reads."""

from collections.abc import Iterator, Mapping

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
    sources = {id(symbol): step for symbol, step in path if not _forwards(step)}
    maxima = {
        relu_max_value(step.operation) if step else None for step in sources.values()
    }
    relu_max = maxima.pop() if len(maxima) == 1 else None
    alone = all(times[id(symbol)] == 1 and not _pools(step) for symbol, step in path)
    return relu_max, {*sources} if alone and relu_max is not None else set()


def _path(
    tensor: keras.KerasTensor, graph: Graph
) -> Iterator[tuple[keras.KerasTensor, Step | None]]:
    """Yield a tensor and those that its values come from, with their producers."""
    step = graph.producer(tensor)
    yield tensor, step
    if step is not None and _forwards(step):
        for read in step.reads:
            yield from _path(read, graph)


def _forwards(step: Step | None) -> bool:
    return step is not None and type(step.operation) in _FORWARDING


def _pools(step: Step | None) -> bool:
    return step is not None and type(step.operation) in LOCAL
