"""Steps that move values, as they are or scaled.

They permute axes, flip them, or shuffle positions.
"""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.network.graph import Step
from keras_explainable.network.operation_kinds import MOVES

#: For each axis of a tensor, the axis of the input that it was, and 1, or -1 if it runs
#: the other way. The axis after the input's last one is new, of length 1.
Moved = tuple[tuple[int, int], ...]

#: Of a step that moves values in another way, such as by rolling them.
SHUFFLED: Moved = ()

#: Operations of Keras that are tried. Crops are followed elsewhere.
_MOVING = {name for name in MOVES if not name.startswith("Crop")} | {"Einsum"}

#: More values than this are not tried.
_MOST = 2**24


def moved_axes(step: Step) -> Moved | None:
    """Return where a step of one tensor moves axes to; None if it computes values.

    Layers that Keras does not know, and operations that may do anything, are tried.
    """
    if not _may_move(step):
        return None
    shape = tuple(size or 5 + axis for axis, size in enumerate(step.reads[0].shape))
    values = np.arange(math.prod(shape[1:])).reshape(1, *shape[1:])
    found = tried(step, values)
    if found is None or found.size != values.size:
        return None
    if found.ndim > values.ndim + 1 or found.ndim < values.ndim:
        return None
    if found.ndim > values.ndim:
        values = values[..., None]
    if not np.array_equal(np.sort(found, None), values.reshape(-1)):
        return _of_scaled(step, shape[1:])
    for moved in _ways(values.shape, found.shape):
        if np.array_equal(in_moved_order(values, moved), found):
            return moved
    return _shuffled(step, values, found) if found.ndim == len(shape) else None


def _of_scaled(step: Step, shape: tuple[int, ...]) -> Moved | None:
    """Return where a step moves axes to that also scales and shifts their values.

    Its outputs for zeros and for ones tell by how much, also if each channel has a
    scale of its own.
    """
    values = np.linspace(0, 1, math.prod(shape)).reshape(1, *shape)
    rows = np.concatenate([np.zeros_like(values), np.ones_like(values), values])
    found = tried(step, rows)
    if found is None or found.ndim != rows.ndim or len(found) != len(rows):
        return None
    if not np.isfinite(found).all():  # As of a logarithm.
        return None
    zeros, ones, image = found.astype("float64")
    gain = ones - zeros
    if not np.all(np.abs(gain) > 1e-6 * np.abs(ones).max()):
        return None
    image = ((image - zeros) / gain)[None]
    for moved in _ways(values.shape, image.shape):
        if np.allclose(in_moved_order(values, moved), image, atol=1e-3):
            return moved
    return None


def _may_move(step: Step) -> bool:
    if not is_to_be_tried(step, _MOVING):
        return False
    before, after = (
        [size for size in symbol.shape[1:] if size != 1]
        for symbol in (step.reads[0], step.outputs)
    )
    return None in (*before, *after) or math.prod(before) == math.prod(after)


def is_to_be_tried(step: Step, names: set[str]) -> bool:
    """Return whether only trying shows what a step of one tensor does with positions.

    Args:
        step: Step of a graph.
        names: Classes of Keras that are tried; others are known to compute values.
    """
    operation = step.operation
    if len(step.reads) != 1 or getattr(operation, "weights", None):
        return False
    if not isinstance(step.outputs, keras.KerasTensor):
        return False
    if math.prod(size or 1 for size in step.reads[0].shape) > _MOST:
        return False
    known = type(operation).__module__.startswith("keras.")
    return not known or type(operation).__name__ in {*names, "Lambda"}


def tried(step: Step, values: np.ndarray) -> np.ndarray | None:
    """Return what a step makes of values, as numbers; None if it cannot be tried."""
    symbol = step.reads[0]
    try:
        with backend.eagerly(), backend.state_kept():
            tensor = ops.convert_to_tensor(values, dtype=symbol.dtype)
            written = step.run({id(symbol): tensor})[id(step.outputs)]
            found = np.asarray(ops.convert_to_numpy(written))
            return found.astype("int32") if found.dtype == bool else found
    except Exception:  # Such as a size that it does not take.
        return None


def _ways(before: tuple[int, ...], after: tuple[int, ...]) -> Iterator[Moved]:
    """Return the ways in which axes could be permuted and flipped to give a shape."""
    for order in itertools.permutations(range(1, len(before))):
        if tuple(before[axis] for axis in order) == after[1:]:
            for steps in itertools.product((1, -1), repeat=len(order)):
                yield (0, 1), *zip(order, steps, strict=True)


def in_moved_order(values: Any, moved: Moved) -> Any:
    """Return an array with its axes as a step moves them."""
    flips = tuple(slice(None, None, step) for _, step in moved)
    return np.transpose(values, [axis for axis, _ in moved])[flips]


def _shuffled(step: Step, values: np.ndarray, found: np.ndarray) -> Moved | None:
    """Return SHUFFLED if positions have other places, with channels on the last axis.

    Channels may be shuffled, and neighbours may become channels.
    """
    if values.shape != found.shape:
        return None if _neighbours_stay(values, found) else SHUFFLED
    positions = np.broadcast_to(values[..., :1], values.shape)
    again = tried(step, positions)
    in_place = again is not None and np.array_equal(again, positions)
    return None if in_place else SHUFFLED


def _neighbours_stay(values: np.ndarray, found: np.ndarray) -> bool:
    """Return whether all values stay where they were, to one position of the result."""
    sources = np.unravel_index(found.astype("int64"), values.shape)
    for axis in range(1, values.ndim - 1):
        factor = values.shape[axis] / found.shape[axis]
        middle = factor * (0.5 + np.arange(found.shape[axis]))
        places = np.moveaxis(sources[axis], axis, -1) + 0.5
        if np.abs(places - middle).max() > max(factor, 1):
            return False
    return True
