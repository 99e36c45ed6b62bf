"""The axes of a model's inputs that hold the channels, told by what reads them."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_explainable.common.structures import flatten
from keras_explainable.network.graph import Graph, Step, steps_of_one_output
from keras_explainable.network.moved_axes import moved_axes
from keras_explainable.network.operation_kinds import LINEAR, computes_as, keras_name
from keras_explainable.network.time_distributed import operation_on_frames
from keras_explainable.network.trace_model import inlined

#: Layers that take the last axis for channels, and all others for positions.
SPATIAL = (
    *(kind for kind in LINEAR if kind is not layers.Dense),
    *(
        getattr(layers, f"{kind}Pooling{rank}D")
        for kind in ("Average", "Max", "GlobalAverage", "GlobalMax")
        for rank in (1, 2, 3)
    ),
    *(getattr(layers, f"ConvLSTM{rank}D") for rank in (1, 2, 3)),
)

#: Layers that scale every value; weights differ along their ``axis``.
NORMALIZING = (
    layers.BatchNormalization,
    layers.GroupNormalization,
    layers.LayerNormalization,
    layers.Normalization,
)

#: Layers that mix the values along the last axis, which may be tokens.
MIXING = (layers.Dense, layers.EinsumDense)

#: The attributes of transposing operations of ``keras.ops``, as arguments of NumPy's.
TRANSPOSING: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "Transpose": (np.transpose, ("axes",)),
    "Moveaxis": (np.moveaxis, ("source", "destination")),
    "Swapaxes": (np.swapaxes, ("axis1", "axis2")),
    "Einsum": (lambda x, subscripts: np.einsum(subscripts, x), ("subscripts",)),
}

#: Operations that may append an axis of 1, also the layer of the same name.
APPENDING = ("ExpandDims", "GetItem", "Reshape")

#: Operations that take, add or repeat positions along axes, which keep their order,
#: also the layers of the same names.
_PARTIAL = {
    "ArraySplit", "CenterCrop", "Concatenate", "CropImages", "Cropping1D", "Cropping2D",
    "Cropping3D", "GetItem", "Max", "Mean", "Min", "Pad", "PadImages", "Repeat",
    "Resize", "Resizing", "Slice", "Split", "Sum", "Take", "Tile", "ZeroPadding1D",
    "ZeroPadding2D", "ZeroPadding3D",
}  # fmt: skip

#: Operations of several tensors that mix their values.
_PRODUCTS = {"Dot", "Einsum", "Matmul", "Tensordot"}

#: For each axis of a tensor, the axis of the input that it was. The axis after the
#: input's last one is new, of length 1.
Order = tuple[int, ...]


def channel_axes(graph: Graph) -> list[int]:
    """Return the axis of the channels of each input, in a flat list.

    Permutations and elementwise steps are followed from the input to its readers. The
    first convolution or pooling among them tells the channels: its last axis. Without
    one, the channels are on the first axis if that is last for every reader, and else
    on the last.
    """
    readings = _readings(graph)
    return [
        _channel_axis([each for at, each in readings if at == position], len(x.shape))
        for position, x in enumerate(flatten(graph.inputs))
    ]


def _channel_axis(readings: list[tuple[Order, Any]], rank: int) -> int:
    for order, operation in readings:
        if _takes_channels_last(operation) and order[-1] <= rank:
            if rank <= 2:
                return 1  # Tables (B, features) stay.
            stacked = [axis for axis in range(rank) if axis not in order]
            return stacked[0] if order[-1] == rank and stacked else order[-1]
    # A dense layer on transposed (B, T, C) mixes the tokens, as in an MLP-Mixer.
    last = {
        rank - 1 if rank == 3 and _mixes(operation) else order[-1]
        for order, operation in readings
    }
    # That of (C, T), of (C, H, W), or of frames (T, C, H, W).
    first = range(1, min(max(rank - 2, 2), rank - 1))
    return last.pop() if len(last) == 1 and last <= {*first} else rank - 1


def _readings(graph: Graph) -> list[tuple[int, tuple[Order, Any]]]:
    """Return what reads each input: its number, and the order of axes and operation."""
    orders: dict[int, tuple[int, Order]] = {
        id(x): (at, tuple(range(len(x.shape))))
        for at, x in enumerate(flatten(graph.inputs))
    }
    readings = []
    steps = inlined(graph).steps
    for step in (each for whole in steps for each in steps_of_one_output(whole)):
        known = [orders[id(x)] for x in step.reads if id(x) in orders]
        for position, order in known:
            kept = _order_after(step, order)
            if kept is not None:
                orders[id(step.outputs)] = position, kept
            if _folds_rows(step):  # Other axes go to that of the batch.
                continue
            if kept is None or _normalizes_last_axis(step):
                readings.append((position, (order, step.operation)))
    return readings


def _order_after(step: Step, order: Order) -> Order | None:
    """Return the axes of what a step writes, given those it reads; None if it mixes."""
    new, name = max(len(order), 1 + max(order)), keras_name(step.operation)
    if name == "Unstack":
        axis = step.operation.axis % len(order)
        return *order[:axis], *order[axis + 1 :]
    if name == "Stack":
        axis = step.operation.axis % (len(order) + 1)
        return *order[:axis], new, *order[axis:]
    axes = transposition(step) if len(step.reads) == 1 else None
    if axes is not None:
        extended = *order, new
        return tuple(extended[axis] for axis in axes)
    return order if _keeps_positions(step) else None


def _mixes(operation: Any) -> bool:
    return isinstance(operation_on_frames(operation), MIXING)


def _keeps_positions(step: Step) -> bool:
    """Return whether a step keeps the order of axes, without weights along several."""
    operation, name = step.operation, keras_name(step.operation)
    shapes = {tuple(x.shape) for x in step.reads}
    if not isinstance(step.outputs, keras.KerasTensor):
        return False
    after = tuple(step.outputs.shape)
    if {*map(len, shapes)} != {len(after)} or _takes_channels_last(operation):
        return False
    if isinstance(operation, (*NORMALIZING, layers.PReLU)):
        return True
    if getattr(operation, "weights", None) or name in _PRODUCTS:
        return False
    return name in _PARTIAL or (len(shapes) == 1 and after in shapes)


def _folds_rows(step: Step) -> bool:
    """Return whether a reshape gives each row another number of values."""
    if keras_name(step.operation) != "Reshape" or len(step.reads) != 1:
        return False
    shapes = [tuple(x.shape[1:]) for x in (step.reads[0], step.outputs)]
    known = all(None not in shape for shape in shapes)
    return known and math.prod(shapes[0]) != math.prod(shapes[1])


def _normalizes_last_axis(step: Step) -> bool:
    if not isinstance(step.operation, NORMALIZING):
        return False
    rank, axes = len(step.reads[0].shape), flatten(step.operation.axis)
    return any(axis in (-1, rank - 1) for axis in axes)


def _takes_channels_last(operation: Any) -> bool:
    of_frame = operation_on_frames(operation)
    is_model = of_frame is not operation and isinstance(of_frame, keras.Model)
    return is_model or isinstance(of_frame, SPATIAL)


def _takes_all(step: Step) -> bool:
    """Return whether a step does not choose elements or their order by an index."""
    if keras_name(step.operation) != "GetItem":
        return True
    key = step.args[1] if isinstance(step.args[1], tuple) else step.args[1:]
    return all(each in (None, ..., slice(None)) for each in key)


def transposition(step: Step) -> Order | None:
    """Return the axes in their new order, if the step only permutes or appends."""
    operation, shape = step.operation, tuple(step.reads[0].shape)
    if computes_as(operation, layers.Permute):
        return 0, *operation.dims
    kind = keras_name(operation)
    if kind in APPENDING and tuple(step.outputs.shape) == (*shape, 1):
        return tuple(range(len(shape) + 1)) if _takes_all(step) else None
    if kind not in TRANSPOSING:
        moved = moved_axes(step) or ((0, -1),)
        forwards = all(way == 1 for _, way in moved)
        return tuple(axis for axis, _ in moved) if forwards else None
    function, names = TRANSPOSING[kind]
    if not all(hasattr(operation, name) for name in names):
        return None
    # An array whose axes can be told from each other by their lengths.
    axes = np.zeros(range(1, len(shape) + 1))
    try:
        order = function(axes, *(getattr(operation, name) for name in names)).shape
    except ValueError:  # An einsum of several tensors, or of a diagonal.
        return None
    is_order = len(order) == len(shape) and order[0] == 1
    return tuple(length - 1 for length in order) if is_order else None
