"""Where the positions of inner tensors lie in the input."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.network.graph import Graph, Step, steps_of_one_output
from keras_explainable.network.joined_parts import JoinedParts
from keras_explainable.network.kept_parts import Part, kept_parts
from keras_explainable.network.layers_of_user import calls_user
from keras_explainable.network.lost_positions import (
    is_spectrum,
    loses_positions,
    moving_operations,
    reversed_axis,
)
from keras_explainable.network.moved_axes import SHUFFLED, Moved, moved_axes
from keras_explainable.network.operation_kinds import setting
from keras_explainable.network.place import Place
from keras_explainable.network.windows_of_layers import extent_and_stride

#: Part of the input by which the windows of tensors at one place may differ, such as
#: those of differences; or by one position.
_NEIGHBOURS = 0.1


def places_in_input(
    graph: Graph, number: int, shapes: Sequence[Sequence[int]]
) -> dict[int, Place]:
    """Return, by symbol, where tensors lie in an input, if that is known.

    Other steps than those that move, cut off or pad values keep positions, as
    convolutions do. Padding that convolutions take away again counts as their own.

    Args:
        graph: Graph without nested models.
        number: Position of the input.
        shapes: The shapes of all inputs, without the axis of the batch.
    """
    start = keras.tree.flatten(graph.inputs)[number]
    known = {id(start): Place.of_input(len(start.shape))}
    sizes = _Sizes(graph, shapes, number)
    parts = JoinedParts(graph, start, lambda x: known[id(x)].certain)
    for each in (one for whole in graph.steps for one in steps_of_one_output(whole)):
        step = parts.as_one_step(each)
        found = [symbol for symbol in step.reads if id(symbol) in known]
        if found:
            whole = [x for x in found if not _is_repeated(x, step.outputs)] or found
            place = _followed(step, [known[id(x)] for x in whole], sizes)
            kept = place in [known[id(x)] for x in found]
            known[id(step.outputs)] = (
                _without_padding(place, step, sizes) if kept else place
            )
    return known


def _is_repeated(read: keras.KerasTensor, written: keras.KerasTensor) -> bool:
    """Return whether a tensor has one position of an axis for all, as a gate has."""
    if len(read.shape) != len(written.shape):
        return False
    pairs = zip(read.shape[1:-1], written.shape[1:-1], strict=True)
    return any(one == 1 != other for one, other in pairs)


class _Sizes:
    """The shapes of a graph's tensors; those of any size are found by running it."""

    def __init__(self, graph: Graph, shapes: Sequence[Sequence[int]], number: int):
        self.graph, self.shapes, self.of_input = graph, shapes, shapes[number]
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
    before = _place_of_all(read, sizes)
    rank = len(before.axes)
    if before.axes == SHUFFLED:
        return before
    inside = _place_inside(step)
    if _is_lost(step, before, inside, sizes):
        return before._replace(axes=SHUFFLED, certain=True)
    if not before.certain:
        return before
    if (axes := _moved_by_layer(step, inside)) is not None:
        return before._replace(axes=_composed(before.axes, axes))
    moved = moved_axes(step)
    if moved == SHUFFLED:
        return before._replace(axes=SHUFFLED)
    if moved is not None:
        return before._replace(axes=_composed((*before.axes, (rank, 1)), moved))
    if len(step.outputs.shape) != rank:
        return before._replace(certain=False)
    parts = _parts(step, sizes)
    return before if parts is None else _within(before, parts)


def _composed(before: Moved, moved: Moved) -> Moved:
    """Return where axes are that were moved twice."""
    return tuple((before[axis][0], before[axis][1] * way) for axis, way in moved)


def _is_lost(step: Step, before: Place, inside: Place | None, sizes: _Sizes) -> bool:
    """Return whether the output has its positions elsewhere, or none."""
    rank = len(before.axes)
    known = before.certain and len(step.reads[0].shape) == rank
    has_channels = known and before.axes[-1] == (rank - 1, 1)
    if is_spectrum(step, has_channels, sizes.graph.steps):
        return True
    if inside is not None:
        return inside.axes == SHUFFLED
    return loses_positions(step, has_channels if known else None)


def _moved_by_layer(step: Step, inside: Place | None) -> Moved | None:
    """Return where a layer that reverses steps, maybe inside, moves axes to."""
    if inside is not None:
        kept = inside.certain and len(inside.axes) == len(step.outputs.shape)
        return inside.axes if kept else None
    if (reverse := reversed_axis(step.operation)) is None:
        return None
    rank = len(step.outputs.shape)
    return tuple((axis, -1 if axis == reverse else 1) for axis in range(rank))


def _place_inside(step: Step) -> Place | None:
    """Return the place of the output of a layer of the user's in what it reads.

    None for other layers, and for those that move no positions.
    """
    inner = moving_operations(step)
    if inner is None:
        return None
    rank, inputs = len(step.outputs.shape), keras.tree.flatten(inner.inputs)
    alike = [k for k, x in enumerate(inputs) if len(x.shape) == rank]
    shapes = [tuple(x.shape[1:]) for x in inputs]
    places = places_in_input(inner, alike[0], shapes) if alike else {}
    return places.get(id(keras.tree.flatten(inner.outputs)[0]))


def _place_of_all(read: list[Place], sizes: _Sizes) -> Place:
    """Return the place of tensors that a step joins.

    It is that of the whole image as it is, if one of them has it. Several parts or
    views of the image, such as its halves, have no place together. Gates and tokens,
    whose axes are not certain, and shuffled tensors only count if all are like that.
    """
    certain = [place for place in read if place.certain and place.axes != SHUFFLED]
    if not certain:
        return ([x for x in read if x.axes != SHUFFLED] or read)[0]
    views = {place.region: place for place in certain if place.is_view()}
    natural = Place.of_input(len(certain[0].windows) - 1).region
    if natural in views:
        return views[natural]
    regions = views or {place.region: place for place in certain}
    alone = len(regions) == 1
    return next(iter(regions.values())) if alone else _mean_place(certain, sizes)


def _mean_place(read: list[Place], sizes: _Sizes) -> Place:
    """Return the place of tensors that are almost at the same place, as neighbours."""
    windows = np.array([place.windows for place in read])
    apart = np.ptp(windows, axis=0).max(axis=1)
    limits = np.maximum(_NEIGHBOURS, 1.01 / np.array([1, *sizes.of_input, 1]))
    if (apart > limits).any() or len({place.axes for place in read}) > 1:
        return read[0]._replace(axes=SHUFFLED)
    return read[0]._replace(windows=_pairs(windows.mean(axis=0)))


def _parts(step: Step, sizes: _Sizes) -> list[Part] | None:
    if len(step.reads) != 1:
        return None
    return kept_parts(step, sizes(step.reads[0]), sizes(step.outputs))


def _without_padding(place: Place, step: Step, sizes: _Sizes) -> Place:
    """Return the place after a convolution or pooling that takes padding away again.

    Without padding of its own, the cells of its output leave out its window less its
    stride. Padding right before it that is no wider than its window is its own, too.
    """
    ranks = {len(place.axes), *(len(x.shape) for x in (step.reads[0], step.outputs))}
    if len(ranks) > 1:
        return place
    first = setting(step.operation, "data_format") == "channels_first"
    part = slice(2, None) if first else slice(1, -1)
    lengths = np.array([1, *sizes(step.reads[0])])[part]
    found = _extent_and_stride(step)
    if found is None or np.size(found[0]) not in (1, len(lengths)):  # As of frames.
        return place
    rows = np.broadcast_arrays(lengths, *found)
    windows, padding = np.array(place.windows), np.array(place.padding)
    for (axis, _), length, most, width in zip(place.axes[part], *rows, strict=True):
        cell = np.ptp(windows[axis]) / length
        fresh = np.array(place.fresh[axis])
        own = fresh if fresh.sum() < (most + 0.5) * cell else np.zeros(2)
        others = padding[axis] - own
        more = max(0, cell * max(0, most + 1 - width) - own.sum())
        taken = own + others * min(1, more / max(others.sum(), 1e-9))
        windows[axis] += taken * (1, -1)
        padding[axis] -= taken
    none = ((0.0, 0.0),) * len(windows)
    return place._replace(windows=_pairs(windows), padding=_pairs(padding), fresh=none)


def _extent_and_stride(step: Step) -> tuple[Any, Any] | None:
    """Return how far a window without padding of its own reaches, and its steps.

    It is None for operations without a window.
    """
    operation = step.operation
    if calls_user(operation):
        return extent_and_stride(step)
    window = setting(operation, "kernel_size", setting(operation, "pool_size"))
    if window is None:
        return None
    if setting(operation, "padding") != "valid":  # Blurs have none.
        return 0, 1
    extent = (np.array(window) - 1) * getattr(operation, "dilation_rate", 1)
    return extent, window if operation.strides is None else operation.strides


def _pairs(rows: np.ndarray) -> tuple[tuple[float, float], ...]:
    """Return rows of two numbers, without what rounding has left of zeros."""
    return tuple(map(tuple, np.round(rows, 9).tolist()))


def _within(before: Place, parts: list[Part]) -> Place:
    """Return the place of the given parts of a tensor."""
    windows, padding = np.array(before.windows), np.array(before.padding)
    fresh, axes = np.zeros_like(padding), []
    for (axis, way), (first, last, turn) in zip(before.axes, parts, strict=True):
        first, last = (first, last) if way > 0 else (1 - last, 1 - first)
        start, stop = windows[axis]
        added = (stop - start) * np.array([-first, last - 1])
        windows[axis] += added * (-1, 1)
        padding[axis] = np.maximum(0, padding[axis] + added)
        fresh[axis] = np.maximum(0, added)
        axes.append((axis, way * turn))
    found = _pairs(windows), _pairs(padding), _pairs(fresh)
    return Place(tuple(axes), *found, before.certain)
