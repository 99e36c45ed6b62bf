"""Steps of the inputs that a mask hides, which methods leave as they are.

Changing the values of such a step would show it to the model. Masks are those of
``Masking`` layers, those computed from an input that layers are given, and comparisons
of the input with a number.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.network.compared_values import (
    ComparedValues,
    compared_values,
    unless_read,
)
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.hiding_masks import (
    HidingMask,
    MaskFinder,
    UnknownStepsError,
    unknown_steps,
)
from keras_explainable.network.ignored_values import ignored_values
from keras_explainable.network.input_kinds import (
    columns_with_noise,
    graph_of_layers,
    only_chooses,
)
from keras_explainable.network.layers_of_model import has_layer, model_state
from keras_explainable.network.layers_of_user import calls_user, uses_masks
from keras_explainable.network.operations_of_call import graph_of_call
from keras_explainable.network.quantity_columns import Columns
from keras_explainable.network.time_distributed import flattened
from keras_explainable.network.trace_model import graph_of, inlined
from keras_explainable.types import Model, Tensor

_cache = ModelCache(capacity=2)


def unmasked_steps(
    model: Model, inputs: Nested, prepare: Callable[[Nested], Nested] | None = None
) -> list[Tensor | None]:
    """Return for each input (B, T, ...) which steps no layer hides, (B, T, 1, ...).

    None for inputs of which no layer hides steps.

    Args:
        model: Model.
        inputs: Inputs, of which steps may be hidden.
        prepare: Function from them to what the model receives; None if that is them.

    Steps of inputs that only choose, such as tokens, are left out: they get no noise.

    Raises:
        UnknownStepsError: If it is not known whose steps a layer hides.
    """
    return _shown_by(_hiding_of(model), model, inputs, prepare)


def _shown_by(
    hiding: Any,
    model: Model,
    inputs: Nested,
    prepare: Callable[[Nested], Nested] | None,
) -> list[Tensor | None]:
    leaves = flatten(inputs)
    masks: list[Tensor | None] = [None] * len(leaves)
    if hiding is None:
        return masks
    seen = inputs if prepare is None else prepare(inputs)
    for number, mask in (*hiding.run(seen), *hiding.compared.shown(seen)):
        shape, rank = tuple(leaves[number].shape), len(mask.shape)
        if tuple(mask.shape) != shape[:rank]:
            raise unknown_steps(model.name)
        mask = ops.reshape(mask, (*mask.shape, *(1,) * (len(shape) - rank)))
        known = masks[number]
        masks[number] = mask if known is None else ops.logical_and(known, mask)
    return masks


def known_unmasked_steps(
    model: Model, inputs: Nested, prepare: Callable[[Nested], Nested] | None = None
) -> list[Tensor | None]:
    """Return the same as ``unmasked_steps``, also of tokens; None if not known."""
    with suppress(UnknownStepsError):
        return _shown_by(_known_hiding(model), model, inputs, prepare)
    return [None] * len(flatten(inputs))


def read_steps(
    model: Model, inputs: Nested, prepare: Callable[[Nested], Nested] | None = None
) -> list[Tensor | None]:
    """Return the same as ``known_unmasked_steps``, with what outputs depend on."""
    shown = known_unmasked_steps(model, inputs, prepare)
    if all(mask is None for mask in shown):
        return shown
    graph = _known_hiding(model).compared.graph
    graph = replace(graph, outputs=flatten(graph.outputs)[0]).pruned()
    ignored = ignored_values(
        graph, flatten(inputs if prepare is None else prepare(inputs))
    )
    pairs = zip(shown, ignored, strict=True)
    return [mask if mask is None else ops.logical_or(mask, ~x) for mask, x in pairs]


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


@dataclass(frozen=True)
class _Hiding:
    """The steps of a model's inputs that are hidden.

    Attributes:
        graph: Graph from the inputs to the tensors that say so.
        masks: What each of these says.
        compared: Values that may be padding, as the model compares them.
    """

    graph: Graph
    masks: tuple[HidingMask, ...]
    compared: ComparedValues

    def run(self, inputs: Nested) -> list[tuple[int, Tensor]]:
        """Return the positions of inputs, and which of their steps show."""
        leaves = flatten(inputs)
        packed = keras.tree.pack_sequence_as(self.graph.inputs, leaves)
        with backend.state_kept():
            values = zip(self.masks, self.graph.run(packed), strict=True)
            found = [(mask, mask.shown(value)) for mask, value in values]
        known = [(mask.number, shown) for mask, shown in found if mask.certain]
        others = [(mask.number, shown) for mask, shown in found if not mask.certain]
        return known + (self._unread(others, leaves) if others else [])

    def _unread(
        self, masks: list[tuple[int, Tensor]], leaves: list[Tensor]
    ) -> list[tuple[int, Tensor]]:
        """Return masks with all steps of samples whose hidden steps are read."""
        if any(map(backend.is_symbolic, leaves)):
            return []
        ignored = ignored_values(self.compared.graph, leaves)
        found = list[tuple[int, Tensor]]()
        for number, shown in masks:
            hidden, unread = ~ops.convert_to_numpy(shown), ignored[number]
            if hidden.shape == unread.shape[: hidden.ndim]:
                free = np.all(unread, axis=tuple(range(hidden.ndim, unread.ndim)))
                hidden = np.stack([*map(unless_read, hidden, free)])
                found.append((number, ops.convert_to_tensor(~hidden)))
        return found


def _known_hiding(model: Model) -> Any:
    """Return how a model hides steps, if possible also those of tokens."""
    with suppress(UnknownStepsError):
        return _hiding_of(model, with_tokens=True)
    return _hiding_of(model)


def _hiding_of(model: Model, with_tokens: bool = False) -> Any:
    """Return how a model hides steps, which is found once; None if it hides none."""
    if not isinstance(model, keras.Model):
        return None
    make = partial(_hiding, model, with_tokens)
    return _cache.get(model, with_tokens, make, model_state(model))


def _hiding(model: Model, with_tokens: bool) -> _Hiding | None:
    """Return how a model hides steps of its inputs; None if it hides none."""
    graph = graph_of_layers(model)
    if graph is None:
        if has_layer(model, layers.Masking):
            raise unknown_steps(model.name)
        return None
    flat = flattened(graph)
    numbers = range(len(flatten(flat.inputs)))
    changing = [n for n in numbers if not only_chooses(model, n)]
    find = MaskFinder(flat, [*numbers] if with_tokens else changing)
    found = [each for step in flat.steps for each in find.masks_of(step)]
    found += find.masks_of_others(changing)
    compared = compared_values(flattened(inlined(graph, _opened)), changing)
    if not (found or compared.comparisons):
        return None
    outputs = [each.tensor for each in found]
    return _Hiding(replace(flat, outputs=outputs).pruned(), tuple(found), compared)


def _opened(step: Step) -> Graph | None:
    """Return the graph of a nested model, or of a layer that calls the user's code."""
    layer = step.operation
    own = calls_user(layer) and step.is_plain() and not uses_masks(layer)
    return graph_of_call(layer, step.args) if own else graph_of(step)
