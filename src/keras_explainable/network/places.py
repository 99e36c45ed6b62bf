"""Where the positions of inner tensors lie in the input."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.network.graph import Graph, Step, steps_of_one_output
from keras_explainable.network.joined_parts import JoinedParts
from keras_explainable.network.kept_parts import Part, kept_parts
from keras_explainable.network.moved_axes import SHUFFLED, Moved, moved_axes

#: Operations that pad, also the layers of the same names.
_PADDING = {"Pad", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"}


class Place(NamedTuple):
    """Where the axes of a tensor lie in an input.

    Attributes:
        axes: For each axis, the axis of the input, and the way along it; None if they
            are not known, as those of tokens.
        windows: For each axis of the input, where the tensor begins and ends, from 0
            to 1.
    """

    axes: Moved | None
    windows: tuple[tuple[float, float], ...]

    @classmethod
    def of_input(cls, rank: int) -> "Place":
        """Return the place of an input itself, of so many axes."""
        axes = tuple((axis, 1) for axis in range(rank))
        return cls(axes, ((0.0, 1.0),) * (rank + 1))

    def is_whole(self) -> bool:
        """Return whether nothing of the input is cut off, and nothing padded."""
        return {*self.windows} == {(0.0, 1.0)}

    def is_view(self) -> bool:
        """Return whether the axes are known, whole, and in their way."""
        return self.is_whole() and all(way > 0 for _, way in self.axes or [(0, -1)])


def places_in_input(
    graph: Graph, number: int, shapes: Sequence[Sequence[int]]
) -> dict[int, Place]:
    """Return, by symbol, where tensors lie in an input, if that is known.

    Other steps than those that move, cut off or pad values keep positions, as
    convolutions do. Padding that the next convolution takes away again counts as its
    own.

    Args:
        graph: Graph without nested models.
        number: Position of the input.
        shapes: The shapes of all inputs, without the axis of the batch.
    """
    start = keras.tree.flatten(graph.inputs)[number]
    known = {id(start): Place.of_input(len(start.shape))}
    sizes, readers = _Sizes(graph, shapes), defaultdict[int, list[Step]](list)
    parts = JoinedParts(graph, start, lambda x: known[id(x)].axes is not None)
    for step in graph.steps:
        for symbol in step.reads:
            readers[id(symbol)].append(step)
    for each in (one for whole in graph.steps for one in steps_of_one_output(whole)):
        step = parts.as_one_step(each)
        read = [known[id(symbol)] for symbol in step.reads if id(symbol) in known]
        if read:
            if not _pads_for(step, readers[id(step.outputs)], sizes):
                read = [_followed(step, read, sizes)]
            known[id(step.outputs)] = read[0]
    return known


class _Sizes:
    """The shapes of a graph's tensors; those of any size are found by running it."""

    def __init__(self, graph: Graph, shapes: Sequence[Sequence[int]]):
        self.graph, self.shapes = graph, shapes
        self.values: Mapping[int, Any] = {}

    def __call__(self, symbol: keras.KerasTensor) -> tuple[int, ...]:
        """Return the shape of a tensor without the axis of the batch."""
        if None not in symbol.shape[1:]:
            return tuple(symbol.shape[1:])
        if not self.values:
            self.values = self._run()
        return tuple(self.values[id(symbol)].shape[1:])

    def _run(self) -> Mapping[int, Any]:
        inputs = keras.tree.flatten(self.graph.inputs)
        with backend.eagerly():
            zeros = [
                ops.zeros((1, *shape), symbol.dtype)
                for symbol, shape in zip(inputs, self.shapes, strict=True)
            ]
            return self.graph.values(
                keras.tree.pack_sequence_as(self.graph.inputs, zeros)
            )


def _followed(step: Step, read: list[Place], sizes: _Sizes) -> Place:
    """Return the place of a step's output, given those of what it reads."""
    before = _place_of_all(read)
    rank = len(step.outputs.shape)
    if before.axes is None:
        # The whole window again, such as tokens that are put on their grid.
        same = rank == len(before.windows) - 1
        return before._replace(axes=Place.of_input(rank).axes) if same else before
    moved = moved_axes(step)
    if SHUFFLED in (before.axes, moved):
        return before._replace(axes=SHUFFLED)
    if moved is not None:
        extended = *before.axes, (len(before.axes), 1)
        axes = tuple((extended[a][0], extended[a][1] * way) for a, way in moved)
        return before._replace(axes=axes)
    if rank != len(before.axes):
        return before._replace(axes=None)
    parts = _parts(step, sizes)
    return before if parts is None else _within(before, parts)


def _place_of_all(read: list[Place]) -> Place:
    """Return the place of tensors that a step joins.

    It is that of the whole image as it is, if one of them has it. Several parts or
    views of the image, such as its halves, have no place together.
    """
    views = [*dict.fromkeys(place for place in read if place.is_view())]
    if (natural := Place.of_input(len(read[0].windows) - 1)) in views:
        return natural
    every = views if len(views) == 1 else {*read}
    unknown = (place for place in read if place.axes is None)
    shuffled = read[0]._replace(axes=SHUFFLED)
    return next(iter(every)) if len(every) == 1 else next(unknown, shuffled)


def _parts(step: Step, sizes: _Sizes) -> list[Part] | None:
    if len(step.reads) != 1:
        return None
    return kept_parts(step, sizes(step.reads[0]), sizes(step.outputs))


def _pads_for(step: Step, readers: list[Step], sizes: _Sizes) -> bool:
    """Return whether a step only pads what all its readers take away again."""
    if type(step.operation).__name__ not in _PADDING or not readers:
        return False
    before, after = sizes(step.reads[0]), sizes(step.outputs)
    added = [b - a for a, b in zip(before, after, strict=True)]
    return all(_takes_away(reader.operation, added) for reader in readers)


def _takes_away(operation: Any, added: list[int]) -> bool:
    """Return whether a convolution's or pooling window shrinks axes by as much."""
    window = getattr(operation, "kernel_size", getattr(operation, "pool_size", None))
    if window is None or operation.padding != "valid":
        return False
    first = operation.data_format == "channels_first"
    channels, spatial = (added[0], added[1:]) if first else (added[-1], added[:-1])
    dilation = getattr(operation, "dilation_rate", 1)
    return channels == 0 and bool(np.all(spatial <= (np.array(window) - 1) * dilation))


def _within(before: Place, parts: list[Part]) -> Place:
    """Return the place of the given parts of a tensor."""
    windows, axes = [*before.windows], []
    for (axis, way), (first, last, turn) in zip(before.axes or (), parts, strict=True):
        first, last = (first, last) if way > 0 else (1 - last, 1 - first)
        start, stop = windows[axis]
        size = stop - start
        windows[axis] = start + first * size, start + last * size
        axes.append((axis, way * turn))
    return Place(tuple(axes), tuple(windows))
