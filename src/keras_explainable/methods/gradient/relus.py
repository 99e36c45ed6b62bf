"""ReLUs before max pooling: where they end, and which of them it alone reads."""

from collections.abc import Iterator

import keras
from keras import layers

from keras_explainable.graph import Graph, Step
from keras_explainable.methods.gradient.bends import relu_end
from keras_explainable.methods.gradient.pooling import is_pooling
from keras_explainable.operations import IDENTITIES

#: What keeps the values that ReLUs have written, so that zeros are still theirs.
_PASSING = (
    *IDENTITIES, layers.Concatenate, layers.MaxPooling1D, layers.MaxPooling2D,
    layers.MaxPooling3D, layers.ZeroPadding1D, layers.ZeroPadding2D,
    layers.ZeroPadding3D,
)  # fmt: skip


def end_before(tensor: keras.KerasTensor, graph: Graph) -> float | None:
    """Return where the ReLUs end that wrote a tensor; None if none did, or unlike."""
    writers = [step for _, step in _way(tensor, graph) if not _passes(step)]
    [end, *others] = {relu_end(step.operation) if step else None for step in writers}
    return None if others else end


def read_by_pooling_alone(graph: Graph) -> dict[int, set[int]]:
    """Return what ReLUs wrote that goes into one max pooling, and nowhere else.

    By the ``id`` of what the pooling writes, and only if all that it reads is such.
    """
    times, found = graph.times_read(), {}
    for step in filter(is_pooling, graph.steps):
        [read] = step.reads()
        way = [*_way(read, graph)]
        alone = all(times[id(symbol)] == 1 for symbol, _ in way)
        pooled = any(writer and is_pooling(writer) for _, writer in way)
        if alone and not pooled and end_before(read, graph) is not None:
            relus = {id(symbol) for symbol, writer in way if not _passes(writer)}
            found[id(step.outputs)] = relus
    return found


def _way(
    tensor: keras.KerasTensor, graph: Graph
) -> Iterator[tuple[keras.KerasTensor, Step | None]]:
    """Yield a tensor, and those that its values were taken from, with their writers."""
    step = graph.producer(tensor)
    yield tensor, step
    if step is not None and _passes(step):
        for read in step.reads():
            yield from _way(read, graph)


def _passes(step: Step | None) -> bool:
    return step is not None and type(step.operation) in _PASSING
