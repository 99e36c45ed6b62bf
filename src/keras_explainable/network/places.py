"""Where the positions of inner tensors lie in the input."""

import math
from typing import NamedTuple

import keras
import numpy as np

from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.moved_axes import (
    SHUFFLED,
    Moved,
    is_to_be_tried,
    moved_axes,
    tried,
)

#: Operations of Keras that cut off a part, also the layers of the same names.
CROPPING = {"CenterCrop", "Cropping1D", "Cropping2D", "Cropping3D", "GetItem"}


#: Where a part begins and ends, from 0 to 1.
Part = tuple[float, float]

WHOLE: Part = 0.0, 1.0


class Place(NamedTuple):
    """Where the axes of a tensor lie in an input.

    Attributes:
        axes: For each axis, the axis of the input, and the way along it.
        windows: For each axis of the input, where the tensor begins and ends, from 0
            to 1.
    """

    axes: Moved
    windows: tuple[Part, ...]


def places_in_input(graph: Graph, number: int) -> dict[int, Place]:
    """Return, by symbol, where tensors lie in an input, if that is known.

    Other steps than those that move or cut off values keep positions, as convolutions
    do, unless they change the number of axes.

    Args:
        graph: Graph without nested models.
        number: Position of the input.
    """
    start = keras.tree.flatten(graph.inputs)[number]
    rank = len(start.shape)
    every = tuple((axis, 1) for axis in range(rank))
    known = {id(start): Place(every, (WHOLE,) * (rank + 1))}
    for step in graph.steps:
        read = [symbol for symbol in step.reads if id(symbol) in known]
        if read and isinstance(step.outputs, keras.KerasTensor):
            place = _followed(step, known[id(read[0])])
            if place is not None:
                known[id(step.outputs)] = place
    return known


def _followed(step: Step, before: Place) -> Place | None:
    moved = moved_axes(step)
    if SHUFFLED in (before.axes, moved):
        return before._replace(axes=SHUFFLED)
    if moved is not None:
        extended = *before.axes, (len(before.axes), 1)
        axes = tuple((extended[a][0], extended[a][1] * way) for a, way in moved)
        return before._replace(axes=axes)
    if len(step.outputs.shape) != len(before.axes):
        return None
    parts = _kept_parts(step)
    return before if parts is None else _within(before, parts)


def _kept_parts(step: Step) -> list[Part] | None:
    """Return for each axis the part that a step keeps; None if it cuts off nothing."""
    shape, after = (tuple(x.shape[1:]) for x in (step.reads[0], step.outputs))
    if not is_to_be_tried(step, CROPPING) or None in (*shape, *after):
        return None
    if math.prod(after) >= math.prod(shape):
        return None
    values = np.arange(math.prod(shape)).reshape(1, *shape)
    found = tried(step, values)
    if found is None or found.shape != (1, *after):
        return None
    first = np.unravel_index(int(found.flat[0]), shape)
    block = tuple(slice(at, at + n) for at, n in zip(first, after, strict=True))
    if not np.array_equal(values[(slice(None), *block)], found):
        return None
    sizes = zip(first, after, shape, strict=True)
    return [WHOLE, *((at / size, (at + n) / size) for at, n, size in sizes)]


def _within(before: Place, parts: list[Part]) -> Place:
    """Return the place of the given parts of a tensor."""
    windows = list(before.windows)
    for (axis, way), (first, last) in zip(before.axes, parts, strict=True):
        first, last = (first, last) if way > 0 else (1 - last, 1 - first)
        start, stop = windows[axis]
        size = stop - start
        windows[axis] = start + first * size, start + last * size
    return before._replace(windows=tuple(windows))
