"""The tensors of a model's graph that hide steps of its inputs.

They are what ``Masking`` layers read, and the masks that layers are given.
"""

from collections.abc import Callable, Collection, Hashable
from functools import partial
from typing import Any, NamedTuple

import keras
from keras import layers, ops

from keras_explainable.common.structures import flatten, is_float
from keras_explainable.network.graph import Graph, Step, symbols_in
from keras_explainable.network.layers_of_model import has_layer
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.network.quantity_columns import outer_reads
from keras_explainable.network.step_places import steps_in_place
from keras_explainable.network.time_distributed import PerFrame, operation_on_frames
from keras_explainable.types import Tensor

#: Arguments of layers that are true where steps show.
_MASKS = {"attention_mask", "key_mask", "mask", "padding_mask", "query_mask"}
_MASKS |= {"value_mask"}


class UnknownStepsError(ValueError):
    """Steps are hidden, but it is not known whose."""


class HidingMask(NamedTuple):
    """A tensor that says which steps of an input are hidden.

    Attributes:
        number: Position of the input.
        tensor: Symbolic tensor.
        shown: Function from its value to the steps (B, T) that show.
        certain: Whether the steps are hidden wherever they are read. A mask that comes
            from another input hides them from one layer.
    """

    number: int
    tensor: Any
    shown: Callable[[Tensor], Tensor]
    certain: bool = True


class MaskFinder:
    """Finds the tensors that hide steps of inputs."""

    def __init__(self, graph: Graph, changing: list[int]):
        """Args: graph without nested models; positions of inputs that methods change.

        A change may show or hide the steps of such an input.
        """
        self.graph, self.changing = graph, changing
        self._seen = set[Hashable]()  # A mask is passed on from layer to layer.

    def masks_of(self, step: Step) -> list[HidingMask]:
        """Return what one step hides, and which tensors say so."""
        layer = operation_on_frames(step.operation)
        if isinstance(layer, layers.Masking):
            return self._masked_by(step, layer)
        if isinstance(layer, keras.Layer) and has_layer(layer, layers.Masking):
            raise unknown_steps(layer.name)
        found = list[HidingMask]()
        for mask in _masks_given(step):
            found += self._hidden_by(mask, layer.name)
            found += self._hidden_from_elsewhere(mask, step)
        return found

    def masks_of_others(self, noisy: Collection[int]) -> list[HidingMask]:
        """Return the masks of other inputs that may hide steps of an input.

        They are boolean tensors, or inputs of integers, and may be multiplied with it,
        or with what is computed of it. They may be true where steps show, or where they
        are hidden.

        Args:
            noisy: Positions of inputs that are quantities, whose noise changes masks.
        """
        written = [x for step in self.graph.steps for x in flatten(step.outputs)]
        masks = [x for x in flatten(self.graph.inputs) if not is_float(x)]
        masks += [x for x in written if x.dtype == "bool"]
        read = [(mask, {*self.graph.inputs_of(mask)}) for mask in masks]
        quiet = [(mask, sources) for mask, sources in read if not sources & {*noisy}]
        found = list[HidingMask]()
        for number in self.changing:
            shape = self._shape(number)
            for mask, sources in quiet if len(shape) > 2 else ():
                shown = _shown_steps(mask.shape, shape)
                if shown and sources and number not in sources:
                    ways = shown, partial(_reversed, shown)
                    found += [HidingMask(number, mask, way, False) for way in ways]
        return found

    def _masked_by(self, step: Step, layer: layers.Masking) -> list[HidingMask]:
        def shown(values: Tensor) -> Tensor:
            return ops.any(ops.not_equal(values, layer.mask_value), axis=-1)

        [read], [written] = step.reads, flatten(step.outputs)
        sources = self.graph.inputs_of(read)
        if len(sources) != 1 or not _fits(written.shape[:-1], self._shape(sources[0])):
            raise unknown_steps(layer.name)
        if not steps_in_place(self.graph, sources[0], read):
            raise unknown_steps(layer.name)
        return [HidingMask(sources[0], read, shown)]

    def _hidden_by(self, mask: Any, name: str) -> list[HidingMask]:
        """Return the inputs whose steps a mask hides, or those it is combined of."""
        sources = [n for n in self.graph.inputs_of(mask) if n in self.changing]
        if id(mask) in self._seen or not sources:
            return []
        self._seen.add(id(mask))
        shape = self._shape(sources[0])
        shown = _shown_steps(mask.shape, shape) if len(sources) == 1 else None
        if shown and steps_in_place(self.graph, sources[0], mask, shown):
            return [HidingMask(sources[0], mask, shown)]
        parts = [] if shown else self._combined(mask)
        if not parts:
            raise unknown_steps(name)
        return [each for part in parts for each in self._hidden_by(part, name)]

    def _hidden_from_elsewhere(self, mask: Any, step: Step) -> list[HidingMask]:
        """Return the input whose steps a layer reads with a mask of other inputs."""
        read = symbols_in(step.args)[:1]
        sources = [n for x in read for n in self.graph.inputs_of(x)]
        sources = [n for n in sources if n in self.changing]
        if len(sources) != 1 or sources[0] in self.graph.inputs_of(mask):
            return []
        if (id(mask), id(read[0])) in self._seen:
            return []
        self._seen.add((id(mask), id(read[0])))
        shown = _shown_steps(mask.shape, self._shape(sources[0]))
        if shown is None or not steps_in_place(self.graph, sources[0], read[0]):
            return []
        return [HidingMask(sources[0], mask, shown, certain=False)]

    def _combined(self, mask: Any) -> list[Any]:
        """Return the masks of which a mask is combined, with the same meaning."""
        step = self.graph.producer(mask)
        if step is None or "Not" in keras_name(operation_on_frames(step.operation)):
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


def _reversed(shown: Callable[[Tensor], Tensor], masks: Tensor) -> Tensor:
    return shown(ops.logical_not(ops.cast(masks, "bool")))


def _any_over(masks: Tensor, axes: tuple[int, ...]) -> Tensor:
    masks = ops.cast(masks, "bool")
    return ops.any(masks, axis=axes) if axes else masks


def _fits(mask: Any, shape: Any) -> bool:
    """Return whether the axes of a mask may be the first ones of a shape."""
    pairs = zip(mask, shape[: len(mask)], strict=False)
    known = [one == other for one, other in pairs if None not in (one, other)]
    return len(mask) <= len(shape) and all(known)


def unknown_steps(name: str) -> UnknownStepsError:
    """Return the error for a model, or a layer, whose hidden steps are unknown."""
    return UnknownStepsError(
        "`model` must hide steps of one of its inputs by a mask, so that these get no "
        f"noise; received {name!r}, of which that is not known. Sigma given by the "
        "input's name, such as noise={'x': 0.1}, adds noise to all steps."
    )
