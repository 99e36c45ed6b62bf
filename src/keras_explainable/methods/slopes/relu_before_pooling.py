"""ReLUs before max pooling: where they end, and which of them it alone reads."""

from collections.abc import Iterator, Mapping

import keras
from keras import layers

from keras_explainable.methods.slopes.max_pooling import LOCAL
from keras_explainable.methods.slopes.nonlinearities import relu_max_value
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.operation_kinds import IDENTITIES

#: What keeps the values that ReLUs have written, so that zeros are still theirs.
_PASSING = (
    *IDENTITIES, *LOCAL, layers.Concatenate, layers.ZeroPadding1D,
    layers.ZeroPadding2D, layers.ZeroPadding3D,
)  # fmt: skip


def relus_before(
    pooling: Step, graph: Graph, times: Mapping[int, int]
) -> tuple[float | None, set[int]]:
    """Return where the ReLUs end whose values a max pooling reads, and which it owns.

    None if others wrote them, or ReLUs that end elsewhere. It owns those that it alone
    reads, by the ``id`` of what they write: all of them or none.

    Args:
        pooling: for which ``is_pooling`` holds.
        graph: that it is of.
        times: how often each tensor is read there.
    """
    way = [*_way(pooling.reads[0], graph)]
    sources = {id(symbol): step for symbol, step in way if not _passes(step)}
    ends = {
        relu_max_value(step.operation) if step else None for step in sources.values()
    }
    end = ends.pop() if len(ends) == 1 else None
    alone = all(times[id(symbol)] == 1 and not _pools(step) for symbol, step in way)
    return end, {*sources} if alone and end is not None else set()


def _way(
    tensor: keras.KerasTensor, graph: Graph
) -> Iterator[tuple[keras.KerasTensor, Step | None]]:
    """Yield a tensor, and those that its values were taken from, with their writers."""
    step = graph.producer(tensor)
    yield tensor, step
    if step is not None and _passes(step):
        for read in step.reads:
            yield from _way(read, graph)


def _passes(step: Step | None) -> bool:
    return step is not None and type(step.operation) in _PASSING


def _pools(step: Step | None) -> bool:
    return step is not None and type(step.operation) in LOCAL
