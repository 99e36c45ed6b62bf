"""Where the positions of exposed layers lie in the input that they belong to."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import keras
import numpy as np
from keras import ops

from keras_explainable.common.structures import Nested, flatten
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.inspection.exposed_layers import (
    exposed_outputs,
    inputs_of_exposed,
)
from keras_explainable.network.moved_axes import SHUFFLED
from keras_explainable.network.place import Place
from keras_explainable.network.places import places_in_input
from keras_explainable.types import Model, Tensor

_cache = ModelCache(capacity=8)


def places_of_exposed(model: Model, inputs: Nested) -> list[Place | None]:
    """Return where each exposed layer lies in its input; None if that is not known.

    Args:
        model: Model with exposed layers.
        inputs: Its inputs, which tell the sizes of models that take any.

    Raises:
        ValueError: If steps before a layer shuffle the positions.
    """
    places = places_or_shuffled(model, inputs)
    for place, symbol in zip(places, model.outputs[1:], strict=True):
        if is_shuffled(place):
            raise ValueError(
                "`layer` must have its positions where the input has them; received "
                "one behind a step that rolls or shuffles them, or that joins several "
                f"parts of the input, of shape {symbol.shape}. Name a layer before "
                "that step."
            )
    return places


def places_or_shuffled(model: Model, inputs: Nested) -> list[Place | None]:
    """Return the same places, with those of layers whose positions are shuffled."""
    shapes = tuple(tuple(x.shape[1:]) for x in flatten(inputs))
    return _cache.get(model, shapes, lambda: _places(model, shapes))


def is_shuffled(place: Place | None) -> bool:
    """Return whether the positions of a layer are elsewhere than in the input."""
    return place is not None and place.axes == SHUFFLED


def _places(model: Model, shapes: Sequence[Sequence[int]]) -> list[Place | None]:
    graph, _ = exposed_outputs(model)
    exposed = keras.tree.flatten(graph.outputs)[1:]
    graph = replace(graph, outputs=exposed).pruned()
    numbers = inputs_of_exposed(model)
    places = {number: places_in_input(graph, number, shapes) for number in {*numbers}}
    pairs = zip(exposed, numbers, strict=True)
    return [_place(places[number], symbol) for symbol, number in pairs]


def _place(places: dict[int, Place], symbol: keras.KerasTensor) -> Place | None:
    found = places.get(id(symbol))
    if found is None or is_shuffled(found):
        return found
    return found if len(found.axes) == len(symbol.shape) else None


def as_in_input(values: Tensor, place: Place | None) -> Tensor:
    """Return values (B, h, w, ...) of a layer with the positions in the input's order.

    Args:
        values: Maps, activations or gradients, with the layer's spatial axes.
        place: Where the layer lies in the input.
    """
    spatial = _spatial(place)
    backwards = [axis for axis, (_, way) in enumerate(spatial, 1) if way < 0]
    order = np.argsort([axis for axis, _ in spatial]) + 1
    rest = range(1 + len(spatial), len(values.shape))
    values = ops.flip(values, axis=backwards) if backwards else values
    if (order[1:] > order[:-1]).all():
        return values
    return ops.transpose(values, (0, *map(int, order), *rest))


def enlarged(
    resize: Callable[[Tensor, tuple[int, ...]], Tensor],
    values: Tensor,
    size: tuple[int, ...],
    place: Place | None,
) -> Tensor:
    """Return values (B, h, w, ...) of a layer in the size of its input.

    They are 0 where the input was cut off before the layer. What lies in padding that
    was added before the layer is left out.

    Args:
        resize: Function of values and a size, to values (B, *size, ...).
        values: Values in the order of the input, as from ``as_in_input``.
        size: Spatial size of the input.
        place: Where the layer lies in the input.
    """
    axes = sorted(axis for axis, _ in _spatial(place))
    if place is None or all(place.windows[axis] == (0, 1) for axis in axes):
        return resize(values, size)
    windows = [
        (round(first * n), round(last * n))
        for n, (first, last) in zip(size, (place.windows[a] for a in axes), strict=True)
    ]
    values = resize(values, tuple(max(1, last - first) for first, last in windows))
    for axis, (n, (first, _)) in enumerate(zip(size, windows, strict=True), 1):
        values = _shifted(values, axis, first, n)
    return values


def _shifted(values: Tensor, axis: int, first: int, size: int) -> Tensor:
    """Return values from ``first`` on along an axis of ``size``, with 0 around them."""
    start, stop = max(0, -first), max(0, size - first)
    part = [slice(None)] * axis + [slice(start, stop)]
    values = values[tuple(part)]
    before = min(max(0, first), size)
    around = [(0, 0)] * len(values.shape)
    around[axis] = before, size - before - values.shape[axis]
    return ops.pad(values, around)


def _spatial(place: Place | None) -> tuple[tuple[int, int], ...]:
    return () if place is None else place.axes[1:-1]
