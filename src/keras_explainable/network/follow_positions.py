"""Where the values of a network's tensors lie in the image that it takes.

Positions are followed along the graph. Operations that only move values, such as
reshaping, slicing and concatenation, move the numbers of the positions in the same way.
Most other steps keep positions. The user's own layers are tried instead.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import flatten
from keras_explainable.network.channel_axes import channel_axes
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.layers_of_user import calls_function
from keras_explainable.network.operation_kinds import MOVES, computes_as, setting
from keras_explainable.network.positions import Positions
from keras_explainable.network.tried_positions import tried_positions

#: Operations and layers that only move values, those that pad them among them.
_MOVING = MOVES | {"Diagonal", "Pad", "PadImages", "TakeAlongAxis", "ZeroPadding1D"}

#: Operations whose outputs have only the shape of what they read.
_CONSTANT = {"EmptyLike", "FullLike", "OnesLike", "ZerosLike"}

#: Attention layers, whose further outputs are scores.
ATTENTION = (
    layers.AdditiveAttention,
    layers.Attention,
    layers.GroupQueryAttention,
    layers.MultiHeadAttention,
)


#: Layers at the start of a block of a transformer.
NORMALIZATIONS = (
    layers.BatchNormalization,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.RMSNormalization,
)

#: Positions by the ``id`` of the symbol.
Found = Mapping[int, Positions]


def positions_of(graph: Graph) -> dict[int, Positions]:
    """Return the positions of all tensors that have any, by the symbol's ``id``.

    Args:
        graph: Inlined graph.
    """
    found: dict[int, Positions] = {}
    inputs = flatten(graph.inputs)
    for symbol, axis in zip(inputs, channel_axes(graph), strict=True):
        if len(symbol.shape) > 2 and None not in symbol.shape[1:]:
            found[id(symbol)] = Positions.of_image(symbol.shape, axis)
    for step in graph.steps:
        if any(id(x) in found for x in step.reads):
            for symbol, positions in zip(
                flatten(step.outputs), _written(step, found), strict=True
            ):
                if positions is not None and positions.numbers.any():
                    found[id(symbol)] = positions
    return found


def _written(step: Step, found: Found) -> list[Positions | None]:
    """Return the positions of each of a step's outputs; None if it has none."""
    symbols = flatten(step.outputs)
    none: list[Positions | None] = [None] * len(symbols)
    if any(None in x.shape[1:] or len(x.shape) < 2 for x in symbols):
        return none
    name, ours = type(step.operation).__name__, _is_of_keras(step.operation)
    if ours and name in _CONSTANT:
        return none
    if ours and name in _MOVING and not _joins_channels(step, found):
        return _moved(step, found) or none
    if isinstance(step.operation, ATTENTION):
        return [_kept(step, symbols[0], found), *none[1:]]
    kept = [_kept(step, x, found) for x in symbols]
    if ours and any(kept):
        return kept
    found_by_trying = tried_positions(step, found) if len(symbols) == 1 else None
    return [found_by_trying] if found_by_trying else kept


def _is_of_keras(operation: Any) -> bool:
    known = type(operation).__module__.startswith("keras.")
    return known and not calls_function(operation)


def _joins_channels(step: Step, found: Found) -> bool:
    """Return whether a step joins whole images, which would be slow to move."""
    if not computes_as(step.operation, layers.Concatenate):
        return False
    known = [found.get(id(x)) for x in step.reads]
    return all(x is not None and x.channel_axis is not None for x in known)


def _moved(step: Step, found: Found) -> list[Positions | None] | None:
    """Return the positions after a step that moves values, by moving the numbers."""
    known = [found[id(x)] for x in step.reads if id(x) in found]
    if len({each.grid for each in known}) > 1:
        return None
    arrays = {id(x): _numbers(x, found) for x in step.reads}
    try:
        with backend.eagerly():
            values = {key: ops.convert_to_tensor(x) for key, x in arrays.items()}
            written = flatten(step.reading(values).call())
            moved = [*map(ops.convert_to_numpy, written)]
    except Exception:  # Such as a shape that only fits another number of rows.
        return None
    return [Positions(known[0].grid, np.rint(x).astype("int64")) for x in moved]


def _numbers(symbol: Any, found: Found) -> np.ndarray:
    """Return the numbers of a tensor's positions; zeros if it has none."""
    if id(symbol) in found:
        return np.ascontiguousarray(found[id(symbol)].numbers.astype("float32"))
    dtype = symbol.dtype if "int" in symbol.dtype else "float32"
    return np.zeros([n or 1 for n in symbol.shape], dtype)


def _kept(step: Step, symbol: Any, found: Found) -> Positions | None:
    """Return the positions of an output that has those of what the step reads."""
    of_image = _kept_image(step, symbol, found)
    if of_image is not None:
        return of_image
    shape = tuple(symbol.shape[1:])
    for x in step.reads:
        positions = found.get(id(x))
        if positions is None or positions.numbers.shape[1:-1] != shape[:-1]:
            continue
        numbers = positions.numbers
        if numbers.shape[-1] == shape[-1]:
            return positions
        if np.array_equal(numbers, np.broadcast_to(numbers[..., :1], numbers.shape)):
            full = np.broadcast_to(numbers[..., :1], (*numbers.shape[:-1], shape[-1]))
            return Positions(positions.grid, full)
    return None


def _kept_image(step: Step, symbol: Any, found: Found) -> Positions | None:
    """Return the positions of a layer that takes images, such as a convolution."""
    known = [found[id(x)] for x in step.reads if id(x) in found]
    largest = max(known, key=lambda each: np.prod(each.grid))
    axis = largest.channel_axis
    if axis is None or len(symbol.shape) != largest.numbers.ndim:
        return None
    form = setting(step.operation, "data_format")
    if form is not None and len(symbol.shape) > 3:
        axis = 1 if form == "channels_first" else len(symbol.shape) - 1
    return Positions.of_image(symbol.shape, axis)
