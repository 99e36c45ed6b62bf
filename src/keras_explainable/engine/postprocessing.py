"""Postprocessing and resizing of the maps of a batch."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.common import checks
from keras_explainable.common.interpolation import interpolated
from keras_explainable.common.structures import Nested, flatten, is_float, map_structure
from keras_explainable.engine.batch_source import Batch
from keras_explainable.engine.hidden_parts import (
    HiddenParts,
    without_hidden,
    zero_where_hidden,
)
from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.inspection.exposed_layers import (
    by_input,
    inputs_of_exposed,
)
from keras_explainable.inspection.places_of_layers import enlarged, places_of_exposed
from keras_explainable.network.model_inputs import (
    map_shape,
    names_in_order,
    symbolic_inputs,
)
from keras_explainable.network.place import Place
from keras_explainable.types import Model, Tensor

Postprocessing = Callable[..., Tensor]


class _InputSize:
    """The default of ``resizing``: True, but for maps without spatial axes."""

    def __repr__(self) -> str:
        return "True"


#: Distinguishable from True, which raises for maps that cannot be resized.
INPUT_SIZE: Any = _InputSize()


class Finish:
    """Postprocessing and resizing with the arguments of ``explain``."""

    def __init__(
        self,
        postprocessing: Postprocessing | None,
        resizing: Any,
        hidden: HiddenParts,
        frames: int = 0,
        placed: bool = False,
    ):
        """Check the arguments; see ``explain`` for their meaning.

        Args:
            postprocessing: As in ``explain``.
            resizing: As in ``explain``.
            hidden: Finds the hidden parts of maps.
            frames: Number of axes after the first that count batches as well.
            placed: Whether maps of layers have the positions of the input already.
        """
        check_resizing(resizing)
        if postprocessing is not None:
            checks.is_callable("postprocessing", postprocessing)
        self.resizing, self.frames, self.hidden = resizing, frames, hidden
        self.postprocessing, self.placed = postprocessing, placed

    def __call__(self, maps: Nested, batch: Batch, network: Model) -> Nested:
        """Return the maps of the rows in use, as NumPy arrays.

        Args:
            maps: Maps of each input, or of the layers of ``network``.
            batch: Inputs of ``network``.
            network: Model that was explained.
        """
        own = partial(
            postprocess, postprocessing=self.postprocessing, frames=self.frames
        )
        hidden = self._hidden(maps, batch.inputs, network)
        maps = map_structure(own, without_hidden(maps, hidden))
        kinds = {"of_layers": self.hidden.of_layers, "placed": self.placed}
        maps = sized(maps, self.resizing, batch.inputs, network, **kinds)
        maps = zero_where_hidden(maps, hidden)
        return map_structure(lambda x: ops.convert_to_numpy(x)[: batch.used], maps)

    def _hidden(
        self, maps: Nested, inputs: Nested, network: Model
    ) -> list[Tensor | None]:
        of_layers = self.hidden.of_layers
        likes = _inputs_of_maps(maps, inputs, network, of_layers)
        # A map at the layer's own size is of its positions, not of the input's.
        own_size = of_layers and self.resizing in (None, False)
        if self.frames or own_size or not _are_known(maps, likes, inputs, of_layers):
            return [None] * len(flatten(maps))
        every = keras.tree.pack_sequence_as(inputs, [*range(len(flatten(inputs)))])
        numbers = flatten(_inputs_of_maps(maps, every, network, of_layers))
        return self.hidden.find(maps, numbers, network, inputs)


def postprocess(
    maps: Tensor, postprocessing: Postprocessing | None, frames: int = 0
) -> Tensor:
    """Return ``postprocessing(maps)``, with the axes of one map if it takes ``axis``.

    The axes of a map are those between the image axis, and those of ``frames``, and the
    unit axis.
    """
    if postprocessing is None:
        return maps
    checks.is_callable("postprocessing", postprocessing)
    if accepts_parameter(postprocessing, "axis"):
        return postprocessing(maps, axis=tuple(range(1 + frames, len(maps.shape) - 1)))
    return postprocessing(maps)


def sized(
    maps: Nested,
    resizing: Any,
    inputs: Nested,
    network: Model,
    *,
    of_layers: bool,
    placed: bool = False,
) -> Nested:
    """Return maps resized as ``resizing`` says.

    Args:
        maps: Maps of each input, by name if an input has none; or maps of a layer.
        resizing: None or False, True for the size of the input, or a size. Maps of a
            layer get the size of the input that it belongs to. ``INPUT_SIZE`` is True
            for maps (B, h, w, K) with the axes of an input (B, H, W, C), whatever
            their number, and leaves other maps as they are.
        inputs: Inputs (B, *spatial, C).
        network: Model that was explained.
        of_layers: Whether the maps are of layers that it exposes.
        placed: Whether these have the positions of the input already.
    """
    if resizing is None or resizing is False:
        return maps
    likes = _inputs_of_maps(maps, inputs, network, of_layers)
    if resizing is INPUT_SIZE and not _are_known(maps, likes, inputs, of_layers):
        return maps
    places = _places_of(maps, inputs, network, of_layers and not placed)
    each = zip(flatten(maps), flatten(likes), places, strict=True)
    found = [_sized(resizing, *triple) for triple in each]
    return keras.tree.pack_sequence_as(maps, found)


def _are_known(maps: Nested, likes: Nested, inputs: Nested, of_layers: bool) -> bool:
    """Return whether maps belong to ``likes``; a method of the user's may return any.

    A single map of several inputs, for example, may belong to any of them.
    """
    if not keras.tree.is_nested(maps):
        return len(flatten(inputs)) == 1 or of_layers
    try:
        keras.tree.assert_same_structure(maps, likes)
    except (TypeError, ValueError):
        return False
    return True


def _inputs_of_maps(
    maps: Nested, inputs: Nested, network: Model, of_layers: bool
) -> Nested:
    """Return the input that each of the maps belongs to, in their structure."""
    flat, names = flatten(inputs), names_in_order(symbolic_inputs(network))
    if not keras.tree.is_nested(maps):
        several = len(flat) > 1 and of_layers
        return flat[inputs_of_exposed(network)[0] if several else 0]
    if isinstance(maps, dict) and {*maps} <= {*names} and len(names) == len(flat):
        return {name: x for name, x in zip(names, flat, strict=True) if name in maps}
    return inputs


def _places_of(
    maps: Nested, inputs: Nested, network: Model, of_layers: bool
) -> Sequence[Place | None]:
    """Return where each of the maps lies in its input; None for the whole of it."""
    whole = [None] * len(flatten(maps))
    if not of_layers:
        return whole
    places = places_of_exposed(network, inputs)
    found = [places[k] for k in flatten(by_input(network, [*range(len(places))]))]
    return found if len(found) == len(whole) else whole


def _sized(resizing: Any, maps: Tensor, like: Tensor, place: Place | None) -> Tensor:
    rank = len(like.shape) + _is_tokens(like)
    if resizing is INPUT_SIZE and not len(np.shape(maps)) == rank > 2:
        return maps
    own = isinstance(resizing, bool | _InputSize)
    size = map_shape(like.shape) if own else tuple(resizing)
    whole = place is None or place.is_whole()
    if whole and tuple(maps.shape[1 : 1 + len(size)]) == size:
        return maps
    return enlarged(resize, maps, size, place)


def _is_tokens(inputs: Tensor) -> bool:
    """Return whether inputs are numbers of tokens (B, T), whose maps are (B, T, K)."""
    return len(inputs.shape) == 2 and not is_float(inputs)


def check_resizing(resizing: Any) -> None:
    """Raise ValueError unless ``resizing`` is None, a boolean or a size."""
    if resizing is None or isinstance(resizing, bool | _InputSize):
        return
    size = resizing if isinstance(resizing, tuple | list) else ()
    if not size or not all(isinstance(side, int) and side > 0 for side in size):
        raise ValueError(
            "`resizing` must be True, or a size such as (height, width) in pixels; "
            f"received {resizing!r}."
        )


def resize(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return maps (B, *spatial, ..., K), linearly interpolated to another size.

    Integers and booleans, such as labels, become floats if the size differs.

    Raises:
        ValueError: If the maps have fewer spatial axes than ``size``.
    """
    found = tuple(maps.shape[1:-1])
    if len(found) < len(size):
        raise ValueError(
            f"`resizing` must be None, or a size for the maps' axes {found}; received "
            f"{size} (True is the size of the input). `layer=` may name another layer."
        )
    if found[: len(size)] == size:
        return maps
    maps = ops.convert_to_tensor(maps)
    return interpolated(maps if is_float(maps) else ops.cast(maps, "float32"), size)
