"""Maps at steps that a mask hides: 0, whatever postprocessing makes of zeros.

For postprocessing they have the value of a step that shows, so that they do not count
where the range of a map or a share of its values does.
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_explainable.common.structures import Nested, flatten, is_float
from keras_explainable.inspection.exposed_layers import is_exposed
from keras_explainable.network.masked_steps import known_unmasked_steps, read_steps
from keras_explainable.types import Model, Tensor


class HiddenParts:
    """The hidden parts of maps, one for each map."""

    def __init__(self, hidden: Sequence[Tensor | None]):
        """Args: where maps (B, *spatial, K) are hidden; None for maps without that."""
        self._hidden = hidden

    def without(self, maps: Nested) -> Nested:
        """Return maps with the values of their first shown position where hidden."""
        return self._each(_filled, maps)

    def zeroed(self, maps: Nested) -> Nested:
        """Return maps of the size of their inputs with 0 where they are hidden."""
        return self._each(_zeroed, maps)

    def _each(self, change: Callable[[Tensor, Tensor], Tensor], maps: Nested) -> Nested:
        leaves = flatten(maps)
        if all(hidden is None for hidden in self._hidden) or not all(
            map(is_float, leaves)
        ):
            return maps
        pairs = zip(leaves, self._hidden, strict=True)
        found = [x if hidden is None else change(x, hidden) for x, hidden in pairs]
        return keras.tree.pack_sequence_as(maps, found)


def hidden_parts(
    maps: Nested,
    numbers: Sequence[int],
    network: Model,
    inputs: Nested,
    prepare: Callable[[Nested], Nested] | None,
) -> HiddenParts:
    """Return where maps are of hidden steps.

    A step that is read in spite of its mask has a map, unless that is 0 there. Maps of
    layers may show what follows from other steps, but no step without influence.

    Args:
        maps: Maps of inputs or layers.
        numbers: Positions of the inputs that the maps belong to.
        network: Model that was explained.
        inputs: Its inputs.
        prepare: Function from them to what the model receives; None if that is them.
    """
    of_layers = is_exposed(network)
    find = read_steps if of_layers else known_unmasked_steps
    shown = find(network, inputs, prepare)
    pairs = zip(flatten(maps), (shown[number] for number in numbers), strict=True)
    return HiddenParts([_hidden(x, mask, of_layers) for x, mask in pairs])


def _hidden(maps: Tensor, shown: Tensor | None, of_layer: bool) -> Any:
    """Return where maps (B, *spatial, K) or (B, *spatial, C, K) are hidden."""
    if shown is None:
        return None
    hidden = ops.logical_not(ops.any(shown, axis=-1, keepdims=True))
    if of_layer or not _fits(hidden, maps):
        return hidden
    zero = ops.equal(maps, 0)
    zero = zero if len(zero.shape) == len(hidden.shape) else ops.all(zero, axis=-2)
    return ops.logical_and(hidden, zero)


def _fits(hidden: Tensor, maps: Tensor) -> bool:
    """Return whether maps have the positions of ``hidden``, maybe with channels."""
    more = len(maps.shape) - len(hidden.shape)
    shape = (*maps.shape[: len(hidden.shape) - 1], maps.shape[-1])
    pairs = zip(hidden.shape, shape, strict=False)
    return more in (0, 1) and all(one in (1, other) for one, other in pairs)


def _filled(maps: Tensor, hidden: Tensor) -> Tensor:
    if not _fits(hidden, maps):
        return maps
    rank, shape = len(hidden.shape), tuple(maps.shape)
    hidden = ops.broadcast_to(hidden, (*shape[: rank - 1], shape[-1]))
    positions = ops.reshape(hidden, (shape[0], -1, shape[-1]))
    first = ops.argmin(ops.cast(positions, "int32"), axis=1, keepdims=True)
    values = ops.reshape(maps, (*positions.shape[:2], -1, shape[-1]))
    values = ops.take_along_axis(values, first[:, :, None], axis=1)
    values = ops.reshape(values, (shape[0], *(1,) * (rank - 2), *shape[rank - 1 :]))
    return ops.where(_with_channels(hidden, maps), values, maps)


def _zeroed(maps: Tensor, hidden: Tensor) -> Tensor:
    if not _fits(hidden, maps):
        return maps
    return ops.where(_with_channels(hidden, maps), ops.zeros_like(maps), maps)


def _with_channels(hidden: Tensor, maps: Tensor) -> Tensor:
    return hidden if len(hidden.shape) == len(maps.shape) else hidden[..., None, :]
