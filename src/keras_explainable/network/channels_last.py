"""Graphs of inputs whose channels a first step moves to the last axis, or appends.

Methods take the last axis of an input for its channels. If a model takes images
(C, H, W) and permutes them before anything else, its graph is rewritten for images
(H, W, C); if it takes images (H, W) and appends an axis of 1, for images (H, W, 1).
"""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable.common.structures import flatten
from keras_explainable.network.channel_axes import Order, channel_axes, transposition
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.operation_kinds import IDENTITIES, computes_as
from keras_explainable.network.trace_model import inlined

#: Layers that do the same to every value, whatever its position.
ELEMENTWISE = (*IDENTITIES, layers.ReLU, layers.LeakyReLU, layers.ELU)


def orders_to_channels_last(graph: Graph) -> list[Order | None]:
    """Return the order of axes with channels last of each input; None if it has it."""
    return [
        None if axis == len(x.shape) - 1 else _channels_last(len(x.shape), axis)
        for x, axis in zip(flatten(graph.inputs), channel_axes(graph), strict=True)
    ]


def in_order(x: Any, order: Order) -> Any:
    """Return an input (B, ...) with its axes in another order."""
    x = ops.expand_dims(x, -1) if len(order) > len(x.shape) else x
    return ops.transpose(x, order)


def in_original_order(x: Any, order: Order, rank: int) -> Any:
    """Return what ``in_order`` was given, a tensor of the given rank."""
    x = ops.transpose(x, np.argsort(order).tolist())
    return ops.squeeze(x, -1) if len(order) > rank else x


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
        if transposition(step) == order:
            renamed[id(step.outputs)] = symbol
            return []
        if _is_elementwise(step.operation):
            output = _permuted(step.outputs, order)
            moved[id(step.outputs)] = output, order
            return [replace(step.reading({id(step.reads[0]): symbol}), outputs=output)]
    back = [_back(x, *moved.pop(key)) for key, x in read.items()]
    return [*back, step]


def _is_elementwise(operation: Any) -> bool:
    if computes_as(operation, layers.Rescaling):
        return np.ndim(operation.scale) == np.ndim(operation.offset) == 0
    return computes_as(operation, *ELEMENTWISE)


def _back(symbol: Any, moved: Any, order: Order) -> Step:
    """Return the step from a tensor with channels last to the original one."""
    if len(order) > len(symbol.shape):
        return Step(Squeeze(), (moved,), {}, symbol)
    dims = tuple(int(axis) for axis in np.argsort(order)[1:])
    return Step(layers.Permute(dims), (moved,), {}, symbol)


class Squeeze(keras.Layer):
    """Removes the last axis, of length 1, for any sizes of the others."""

    def __init__(self) -> None:
        super().__init__(autocast=False)
        self.built = True

    def call(self, x: Any) -> Any:
        """Return a tensor (B, ..., 1) as (B, ...)."""
        return ops.squeeze(x, -1)


def _permuted(symbol: Any, order: Order) -> keras.KerasTensor:
    shape = tuple((*symbol.shape, 1)[axis] for axis in order)
    return keras.KerasTensor(shape, dtype=symbol.dtype, name=symbol.name)
