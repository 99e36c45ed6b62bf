"""Steps of the inputs that a mask hides, which methods leave as they are.

Changing the values of such a step would show it to the model. Masks are those of
``Masking`` layers, those computed from an input that layers are given, and comparisons
of the input with a number.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.network.compared_values import ComparedValues, compared_values
from keras_explainable.network.graph import Graph, Step, symbols_in
from keras_explainable.network.input_kinds import (
    columns_with_noise,
    graph_of_layers,
    only_chooses,
)
from keras_explainable.network.layers_of_model import has_layer, model_state
from keras_explainable.network.quantity_columns import Columns, outer_reads
from keras_explainable.network.step_places import steps_in_place
from keras_explainable.network.time_distributed import (
    PerFrame,
    operation_on_frames,
    with_layers_on_frames,
)
from keras_explainable.network.trace_model import inlined_with_calls
from keras_explainable.types import Model, Tensor

#: Arguments of layers that are true where steps show.
_MASKS = {"attention_mask", "key_mask", "mask", "padding_mask", "query_mask"}
_MASKS |= {"value_mask"}

_cache = ModelCache(capacity=1)


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
    if not isinstance(model, keras.Model):
        return masks
    hiding = _cache.get(model, None, lambda: _hiding(model), model_state(model))
    if hiding is None:
        return masks
    seen = inputs if prepare is None else prepare(inputs)
    for number, mask in (*hiding.run(seen), *hiding.compared.shown(seen)):
        shape, rank = tuple(leaves[number].shape), len(mask.shape)
        if tuple(mask.shape) != shape[:rank]:
            raise _unknown_steps(model.name)
        mask = ops.reshape(mask, (*mask.shape, *(1,) * (len(shape) - rank)))
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


@dataclass(frozen=True)
class _Hiding:
    """The steps of a model's inputs that are hidden.

    Attributes:
        graph: Graph from the inputs to the tensors that say so.
        masks: For each of these the position of the input, and a function from the
            tensor's value to the steps (B, T) that show.
        compared: Values that may be padding, as the model compares them.
    """

    graph: Graph
    masks: tuple[tuple[int, Callable[[Tensor], Tensor]], ...]
    compared: ComparedValues

    def run(self, inputs: Nested) -> list[tuple[int, Tensor]]:
        """Return the positions of inputs, and which of their steps show."""
        inputs = keras.tree.pack_sequence_as(self.graph.inputs, flatten(inputs))
        with backend.state_kept():
            values = self.graph.run(inputs)
        pairs = zip(self.masks, values, strict=True)
        return [(number, shown(value)) for (number, shown), value in pairs]


def _hiding(model: Model) -> _Hiding | None:
    """Return how a model hides steps of its inputs; None if it hides none."""
    graph = graph_of_layers(model)
    if graph is None:
        if has_layer(model, layers.Masking):
            raise _unknown_steps(model.name)
        return None
    flat, _ = with_layers_on_frames(*inlined_with_calls(graph))
    numbers = range(len(flatten(flat.inputs)))
    changing = [n for n in numbers if not only_chooses(model, n)]
    find = _Finder(flat, changing)
    found = [each for step in flat.steps for each in find.masks_of(step)]
    compared = compared_values(flat, changing)
    if not (found or compared.comparisons):
        return None
    outputs = [read for _, read, _ in found]
    masks = tuple((number, shown) for number, _, shown in found)
    return _Hiding(replace(flat, outputs=outputs).pruned(), masks, compared)


#: The position of an input, a tensor, and a function from its value to shown steps.
Found = tuple[int, Any, Callable[[Tensor], Tensor]]


class _Finder:
    """Finds the tensors that hide steps of inputs."""

    def __init__(self, graph: Graph, changing: list[int]):
        """Args: graph without nested models; positions of inputs that methods change.

        A change may show or hide the steps of such an input.
        """
        self.graph, self.changing = graph, changing
        self._seen = set[int]()  # A mask is passed on from layer to layer.

    def masks_of(self, step: Step) -> list[Found]:
        """Return what one step hides, and which tensors say so."""
        layer = operation_on_frames(step.operation)
        if isinstance(layer, layers.Masking):
            return self._masked_by(step, layer)
        if isinstance(layer, keras.Layer) and has_layer(layer, layers.Masking):
            raise _unknown_steps(layer.name)
        given = _masks_given(step)
        return [each for mask in given for each in self._hidden_by(mask, layer.name)]

    def _masked_by(self, step: Step, layer: layers.Masking) -> list[Found]:
        def shown(values: Tensor) -> Tensor:
            return ops.any(ops.not_equal(values, layer.mask_value), axis=-1)

        [read], [written] = step.reads, flatten(step.outputs)
        sources = self.graph.inputs_of(read)
        if len(sources) != 1 or not _fits(written.shape[:-1], self._shape(sources[0])):
            raise _unknown_steps(layer.name)
        if not steps_in_place(self.graph, sources[0], read):
            raise _unknown_steps(layer.name)
        return [(sources[0], read, shown)]

    def _hidden_by(self, mask: Any, name: str) -> list[Found]:
        """Return the inputs whose steps a mask hides, or those it is combined of."""
        sources = [n for n in self.graph.inputs_of(mask) if n in self.changing]
        if id(mask) in self._seen or not sources:
            return []
        self._seen.add(id(mask))
        shape = self._shape(sources[0])
        shown = _shown_steps(mask.shape, shape) if len(sources) == 1 else None
        if shown and steps_in_place(self.graph, sources[0], mask, shown):
            return [(sources[0], mask, shown)]
        parts = [] if shown else self._combined(mask)
        if not parts:
            raise _unknown_steps(name)
        return [each for part in parts for each in self._hidden_by(part, name)]

    def _combined(self, mask: Any) -> list[Any]:
        """Return the masks of which a mask is combined, with the same meaning."""
        step = self.graph.producer(mask)
        if step is None or "Not" in type(operation_on_frames(step.operation)).__name__:
            return []
        return [x for x in step.reads if x.dtype == "bool"]

    def _shape(self, number: int) -> tuple[int | None, ...]:
        return tuple(flatten(self.graph.inputs)[number].shape)


def _masks_given(step: Step) -> list[Any]:
    """Return the masks that a layer is given, also on frames."""
    if isinstance(step.operation, PerFrame):
        return outer_reads(step, _masks_given(step.operation.step))
    if not isinstance(step.operation, keras.Layer):
        return []
    named = [x for name, x in step.kwargs.items() if name in _MASKS]
    own = not type(step.operation).__module__.startswith("keras.")
    others = [] if own else symbols_in(step.args[1:])
    return symbols_in(named) + [x for x in others if x.dtype == "bool"]


def _shown_steps(mask: Any, shape: Any) -> Callable[[Tensor], Tensor] | None:
    """Return a function from masks to the steps (B, T) that show; None if none fits.

    Args:
        mask: Shape of the masks: (B, T), or of attention (B, ..., T) or (B, ..., T, 1).
        shape: Shape of the input (B, T, ...).
    """
    rank, steps = len(mask), shape[1] if len(shape) > 1 else 0
    if rank > 2 and mask[-1] == steps and (rank >= len(shape) or mask[1] in (1, None)):
        return partial(_any_over, axes=tuple(range(1, rank - 1)))
    if rank > 2 and mask[-1] == 1 and mask[-2] == steps:
        return partial(_any_over, axes=(*range(1, rank - 2), rank - 1))
    if not _fits(mask, shape):
        return None
    return partial(_any_over, axes=(rank - 1,) if rank == len(shape) > 2 else ())


def _any_over(masks: Tensor, axes: tuple[int, ...]) -> Tensor:
    masks = ops.cast(masks, "bool")
    return ops.any(masks, axis=axes) if axes else masks


def _fits(mask: Any, shape: Any) -> bool:
    """Return whether the axes of a mask may be the first ones of a shape."""
    pairs = zip(mask, shape[: len(mask)], strict=False)
    known = [one == other for one, other in pairs if None not in (one, other)]
    return len(mask) <= len(shape) and all(known)


def _unknown_steps(name: str) -> UnknownStepsError:
    return UnknownStepsError(
        "`model` must hide steps of one of its inputs by a mask, so that these get no "
        f"noise; received {name!r}, of which that is not known. Sigma given by the "
        "input's name, such as noise={'x': 0.1}, adds noise to all steps."
    )
