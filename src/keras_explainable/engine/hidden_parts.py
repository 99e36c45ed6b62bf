"""Maps at steps that a mask hides: 0, whatever postprocessing makes of zeros.

For postprocessing they have the value of a step that shows, so that they do not count
where the range of a map or a share of its values does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
from keras import ops

from keras_explainable.common.structures import Nested, flatten, is_float
from keras_explainable.network.masked_steps import known_unmasked_steps, read_steps
from keras_explainable.network.user_form import preprocessed
from keras_explainable.types import Model, Tensor


@dataclass(frozen=True)
class HiddenParts:
    """Finds the hidden parts of maps.

    A step that is read in spite of its mask has a map, unless that is 0 there. Maps of
    layers may show what follows from other steps, but no step without influence.

    Attributes:
        of_layers: Whether the maps are of layers.
        preprocess: Function from the inputs to what the model sees, if any.
    """

    of_layers: bool = False
    preprocess: Callable[[Any], Any] | None = None

    def find(
        self, maps: Nested, numbers: Sequence[int], network: Model, inputs: Nested
    ) -> list[Tensor | None]:
        """Return where maps (B, *spatial, K) are hidden; None for those that are not.

        Args:
            maps: Maps of inputs or layers.
            numbers: Positions of the inputs that the maps belong to.
            network: Model that was explained.
            inputs: Its inputs.
        """
        find = read_steps if self.of_layers else known_unmasked_steps
        prepare = self.preprocess and partial(preprocessed, self.preprocess)
        shown = find(network, inputs, prepare)
        pairs = zip(flatten(maps), (shown[number] for number in numbers), strict=True)
        return [_hidden(x, mask, self.of_layers) for x, mask in pairs]


def without_hidden(maps: Nested, hidden: Sequence[Tensor | None]) -> Nested:
    """Return maps with the values of their first shown position where hidden."""
    return _each(_filled, maps, hidden)


def zero_where_hidden(maps: Nested, hidden: Sequence[Tensor | None]) -> Nested:
    """Return maps of the size of their inputs with 0 where they are hidden."""
    return _each(_zeroed, maps, hidden)


def _each(
    change: Callable[[Tensor, Tensor], Tensor],
    maps: Nested,
    hidden: Sequence[Tensor | None],
) -> Nested:
    leaves = flatten(maps)
    if all(each is None for each in hidden) or not all(map(is_float, leaves)):
        return maps
    pairs = zip(leaves, hidden, strict=True)
    found = [
        change(x, each) if each is not None and _fits(each, x) else x
        for x, each in pairs
    ]
    return keras.tree.pack_sequence_as(maps, found)


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
    rank, shape = len(hidden.shape), tuple(maps.shape)
    hidden = ops.broadcast_to(hidden, (*shape[: rank - 1], shape[-1]))
    positions = ops.reshape(hidden, (shape[0], -1, shape[-1]))
    first = ops.argmin(ops.cast(positions, "int32"), axis=1, keepdims=True)
    values = ops.reshape(maps, (*positions.shape[:2], -1, shape[-1]))
    values = ops.take_along_axis(values, first[:, :, None], axis=1)
    values = ops.reshape(values, (shape[0], *(1,) * (rank - 2), *shape[rank - 1 :]))
    return ops.where(_with_channels(hidden, maps), values, maps)


def _zeroed(maps: Tensor, hidden: Tensor) -> Tensor:
    return ops.where(_with_channels(hidden, maps), ops.zeros_like(maps), maps)


def _with_channels(hidden: Tensor, maps: Tensor) -> Tensor:
    return hidden if len(hidden.shape) == len(maps.shape) else hidden[..., None, :]
