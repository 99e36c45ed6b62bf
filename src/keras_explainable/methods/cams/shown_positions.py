"""Positions of a layer's output that a mask hides from the layers after it."""

from dataclasses import replace
from typing import Any

import keras
from keras import ops

from keras_explainable.common.structures import Nested, flatten
from keras_explainable.inspection.exposed_layers import exposed_outputs
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.time_distributed import PerFrame
from keras_explainable.types import Model, Tensor


def shown_positions(model: Model, inputs: Nested) -> list[Tensor | None]:
    """Return for each exposed value (B, T, ...) the positions that no mask hides.

    They are boolean, of the first axes of the value; None if there is no mask.
    """
    graph, _ = exposed_outputs(model)
    first, *exposed = flatten(graph.outputs)
    masks = [_mask_of(symbol, graph, first) for symbol in exposed]
    known = [mask for mask in masks if mask is not None]
    values = iter(replace(graph, outputs=known).pruned().run([inputs]) if known else ())
    return [None if mask is None else next(values) for mask in masks]


def maps_at_shown(
    shown: Tensor | None, maps: Tensor, gradients: Tensor | None = None
) -> Tensor:
    """Return maps (B, ...), but 0 at positions that are hidden.

    Positions that have gradients (B, ..., C) are read in spite of the mask.
    """
    if shown is None:
        return maps
    more = (1,) * (len(maps.shape) - len(shown.shape))
    shown = ops.reshape(shown, (*shown.shape, *more))
    if gradients is not None:
        shown = ops.logical_or(shown, ops.any(gradients != 0, axis=-1))
    return ops.where(shown, maps, ops.zeros_like(maps))


def _mask_of(symbol: Any, graph: Graph, end: Any) -> Any:
    """Return the first mask of a value's positions that leads to ``end``, or None."""
    for step in graph.between(symbol, end):
        mask = _mask_read_by(step)
        rank = 0 if mask is None else len(mask.shape)
        axes = tuple(symbol.shape[1:-1])
        if rank > 1 and tuple(mask.shape[1:]) == axes[: rank - 1]:
            return mask
    return None


def _mask_read_by(step: Step) -> Any:
    """Return the symbol of the mask that a step is given, also on frames, or None."""
    inner = step.operation.step if isinstance(step.operation, PerFrame) else step
    mask = inner.kwargs.get("mask")
    if not isinstance(mask, keras.KerasTensor):
        return None
    pairs = zip(inner.reads, step.reads, strict=True)
    return next(outer for each, outer in pairs if each is mask)
