"""Graphs of inputs whose channels a first step moves to the last axis.

Methods take the last axis of an input for its channels. If a model takes images
(C, H, W) and permutes them before its first convolution, its graph is rewritten for
images (H, W, C).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_explainable.common.structures import flatten
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.operation_kinds import IDENTITIES, LINEAR
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

#: Layers that do the same to every value, whatever its position.
ELEMENTWISE = (*IDENTITIES, layers.ReLU, layers.LeakyReLU, layers.ELU)

#: The attributes of transposing operations of ``keras.ops``, as arguments of NumPy's.
TRANSPOSING: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "Transpose": (np.transpose, ("axes",)),
    "Moveaxis": (np.moveaxis, ("source", "destination")),
    "Swapaxes": (np.swapaxes, ("axis1", "axis2")),
}

#: For each axis of a tensor, the axis of the input that it was.
Order = tuple[int, ...]


def channel_axes(graph: Graph) -> list[int]:
    """Return the axis of the channels of each input, in a flat list.

    It is the axis that is last where the first convolution or pooling reads the input,
    after permutations and elementwise steps; the last axis if there is no such layer.
    """
    symbols = flatten(graph.inputs)
    orders: dict[int, tuple[int, Order]] = {
        id(x): (at, tuple(range(len(x.shape)))) for at, x in enumerate(symbols)
    }
    found: dict[int, int] = {}
    for step in inlined(graph).steps:
        if len(step.reads) != 1 or (known := orders.get(id(step.reads[0]))) is None:
            continue
        position, order = known
        if _takes_channels_last(step.operation):
            found.setdefault(position, order[-1])
        elif (axes := _transposition(step)) is not None:
            orders[id(step.outputs)] = position, tuple(order[axis] for axis in axes)
        elif getattr(step.outputs, "shape", None) == step.reads[0].shape:
            orders[id(step.outputs)] = known
    return [found.get(at, len(x.shape) - 1) for at, x in enumerate(symbols)]


def _takes_channels_last(operation: Any) -> bool:
    of_frame = operation_on_frames(operation)
    is_model = of_frame is not operation and isinstance(of_frame, keras.Model)
    return is_model or isinstance(of_frame, SPATIAL)


def _transposition(step: Step) -> Order | None:
    """Return the axes in their new order, if the step only permutes them."""
    operation, rank = step.operation, len(step.reads[0].shape)
    if isinstance(operation, layers.Permute):
        return 0, *operation.dims
    if (kind := type(operation).__name__) not in TRANSPOSING:
        return None
    function, names = TRANSPOSING[kind]
    if not all(hasattr(operation, name) for name in names):
        return None
    # An array whose axes can be told from each other by their lengths.
    axes = np.empty(range(1, rank + 1))
    order = function(axes, *(getattr(operation, name) for name in names)).shape
    return tuple(length - 1 for length in order) if order[0] == 1 else None


def orders_to_channels_last(graph: Graph) -> list[Order | None]:
    """Return the order of axes with channels last of each input; None if it has it."""
    return [
        None if axis == len(x.shape) - 1 else _channels_last(len(x.shape), axis)
        for x, axis in zip(flatten(graph.inputs), channel_axes(graph), strict=True)
    ]


def _channels_last(rank: int, axis: int) -> Order:
    return (*(at for at in range(rank) if at != axis), axis)


def with_channels_last(graph: Graph) -> Graph:
    """Return the graph of inputs with channels last; itself if they all have that.

    Permutations that the new order makes superfluous are left out.
    """
    orders = orders_to_channels_last(graph)
    if not any(orders):
        return graph
    flat = inlined(graph)
    moved: dict[int, tuple[Any, Order]] = {}
    inputs = dict[int, Any]()
    for symbol, order in zip(flatten(flat.inputs), orders, strict=True):
        if order is not None:
            inputs[id(symbol)] = _permuted(symbol, order)
            moved[id(symbol)] = inputs[id(symbol)], order
    steps, renamed = list[Step](), dict[int, Any]()
    for step in flat.steps:
        steps += _moved_steps(step.reading(renamed), moved, renamed)
    written = {id(x): x for x in flatten(flat.outputs) if id(x) in moved}
    steps += [_back(x, *moved[key]) for key, x in written.items()]
    return flat.rewritten(steps, inputs | renamed)


def _moved_steps(
    step: Step, moved: dict[int, tuple[Any, Order]], renamed: dict[int, Any]
) -> list[Step]:
    """Return the steps in place of one that may read tensors with channels last.

    Args:
        step: Step of the original graph.
        moved: For tensors of the original graph, by id, those with channels last.
        renamed: The tensors that replace those that are no longer written, by id.
    """
    read = {id(x): x for x in step.reads if id(x) in moved}
    if len(step.reads) == 1 and read:
        symbol, order = moved[id(step.reads[0])]
        if _transposition(step) == order:
            renamed[id(step.outputs)] = symbol
            return []
        if _is_elementwise(step.operation):
            output = _permuted(step.outputs, order)
            moved[id(step.outputs)] = output, order
            return [replace(step.reading({id(step.reads[0]): symbol}), outputs=output)]
    back = [_back(x, *moved.pop(key)) for key, x in read.items()]
    return [*back, step]


def _is_elementwise(operation: Any) -> bool:
    if isinstance(operation, layers.Rescaling):
        return np.ndim(operation.scale) == np.ndim(operation.offset) == 0
    return isinstance(operation, ELEMENTWISE)


def _back(symbol: Any, moved: Any, order: Order) -> Step:
    """Return the step from a tensor with channels last to the original one."""
    dims = tuple(int(axis) for axis in np.argsort(order)[1:])
    return Step(layers.Permute(dims), (moved,), {}, symbol)


def _permuted(symbol: Any, order: Order) -> keras.KerasTensor:
    shape = tuple(symbol.shape[axis] for axis in order)
    return keras.KerasTensor(shape, dtype=symbol.dtype, name=symbol.name)
