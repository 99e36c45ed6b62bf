"""Steps of the inputs that a ``Masking`` layer hides, which methods leave as they are.

Changing the values of such a step would show it to the model.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.input_kinds import columns_with_noise, graph_of_layers
from keras_explainable.network.layers_of_model import has_layer
from keras_explainable.network.quantity_columns import Columns
from keras_explainable.network.time_distributed import (
    operation_on_frames,
    with_layers_on_frames,
)
from keras_explainable.network.trace_model import inlined_with_calls
from keras_explainable.types import Model, Tensor


class UnknownStepsError(ValueError):
    """Steps are hidden, but it is not known whose."""


def unmasked_steps(
    model: Model, inputs: Nested, prepare: Callable[[Nested], Nested] | None = None
) -> list[Tensor | None]:
    """Return for each input (B, T, ...) which steps no layer hides, (B, T, 1, ...).

    None for inputs of which no layer hides steps.

    Args:
        model: Model.
        inputs: Inputs, of which steps may be hidden.
        prepare: Function from them to what the model receives; None if that is them.

    Raises:
        UnknownStepsError: If it is not known whose steps a layer hides.
    """
    leaves = flatten(inputs)
    masks: list[Tensor | None] = [None] * len(leaves)
    if not has_layer(model, layers.Masking):
        return masks
    graph = graph_of_layers(model)
    if graph is None:
        raise _unknown_steps(model.name)
    flat, _ = with_layers_on_frames(*inlined_with_calls(graph))
    seen = inputs if prepare is None else prepare(inputs)
    for step in _masking_steps(flat):
        number, mask = _mask_by(step, flat, leaves, seen)
        known = masks[number]
        masks[number] = mask if known is None else ops.logical_and(known, mask)
    return masks


def known_unmasked_steps(
    model: Model, inputs: Nested, prepare: Callable[[Nested], Nested] | None = None
) -> list[Tensor | None]:
    """Return the same as ``unmasked_steps``; None for all if that is not known."""
    try:
        return unmasked_steps(model, inputs, prepare)
    except UnknownStepsError:
        return [None] * len(flatten(inputs))


def changeable_parts(
    model: Model, inputs: Nested, prepare: Callable[[Nested], Nested] | None = None
) -> list[Tensor | None]:
    """Return for each input (B, ...) which values methods may change; None for all.

    Hidden steps stay as they are, and so do columns that only choose, such as those of
    categories. If it is not known which these are, all may be changed.
    """
    shown = known_unmasked_steps(model, inputs, prepare)
    parts = zip(flatten(inputs), shown, columns_with_noise(model, inputs), strict=True)
    return [_in_columns(*each) for each in parts]


def _in_columns(x: Tensor, shown: Tensor | None, columns: Columns | None) -> Any:
    """Return which steps are shown, but only in the columns that are quantities."""
    if columns is None or not columns.clear:
        return shown
    noisy = np.isin(np.arange(columns.count), [*columns.quantities])
    shape = (x.shape[0], *(1,) * (len(x.shape) - 2), columns.count)
    found = ops.convert_to_tensor(np.broadcast_to(noisy, shape))
    return found if shown is None else ops.logical_and(shown, found)


def where_shown(
    shown: Tensor | None, new: Tensor, old: Tensor, rows: Any = None
) -> Tensor:
    """Return ``new``, but ``old`` where steps are hidden.

    Args:
        shown: Steps that are not hidden, (B, T, 1, ...); None for all.
        new: Values (R, T, ...).
        old: Values, or a number.
        rows: Positions (R,) in ``shown``; None if the rows are the same.
    """
    if shown is None:
        return new
    shown = shown if rows is None else ops.take(shown, rows, axis=0)
    return ops.where(shown, new, old)


def maps_where_shown(shown: Tensor | None, maps: Tensor, rows: Any = None) -> Tensor:
    """Return maps (R, T, ..., K), but 0 where steps are hidden; see ``where_shown``."""
    if shown is None:
        return maps
    without_channels = len(shown.shape) == len(maps.shape)
    axes = ops.any(shown, axis=-1, keepdims=True) if without_channels else shown
    axes = axes if without_channels else axes[..., None]
    return where_shown(axes, maps, ops.zeros_like(maps), rows)


def _masking_steps(graph: Graph) -> list[Step]:
    """Return the steps that hide others; no other layer may hold some."""
    found = []
    for step in graph.steps:
        layer = operation_on_frames(step.operation)
        if isinstance(layer, layers.Masking):
            found.append(step)
        elif isinstance(layer, keras.Layer) and has_layer(layer, layers.Masking):
            raise _unknown_steps(layer.name)
    return found


def _mask_by(
    step: Step, graph: Graph, leaves: list[Tensor], seen: Nested
) -> tuple[int, Tensor]:
    """Return the position of the input whose steps a layer hides, and which show."""
    [read], layer = step.reads, operation_on_frames(step.operation)
    sources = graph.inputs_of(read)
    inputs = keras.tree.pack_sequence_as(graph.inputs, flatten(seen))
    with backend.state_kept():
        values = replace(graph, outputs=read).pruned().run(inputs)
    mask = ops.any(ops.not_equal(values, layer.mask_value), axis=-1)
    shape, rank = tuple(leaves[sources[0]].shape) if sources else (), len(mask.shape)
    if len(sources) != 1 or tuple(mask.shape) != shape[:rank]:
        raise _unknown_steps(layer.name)
    return sources[0], ops.reshape(mask, (*mask.shape, *(1,) * (len(shape) - rank)))


def _unknown_steps(name: str) -> UnknownStepsError:
    return UnknownStepsError(
        "`model` must hide steps of one of its inputs by `Masking`, so that these get "
        f"no noise; received {name!r}, of which that is not known. Sigma given by the "
        "input's name, such as noise={'x': 0.1}, adds noise to all steps."
    )
