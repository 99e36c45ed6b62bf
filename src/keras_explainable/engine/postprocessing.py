"""Postprocessing and resizing of the maps of a batch."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_explainable.common import checks
from keras_explainable.common.interpolation import interpolated
from keras_explainable.common.structures import Nested, flatten, map_structure
from keras_explainable.engine.batch_source import Batch
from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.inspection.exposed_layers import inputs_of_exposed, is_exposed
from keras_explainable.network.model_inputs import (
    map_shape,
    names_in_order,
    symbolic_inputs,
)
from keras_explainable.types import Model, Tensor

Postprocessing = Callable[..., Tensor]


class Finish:
    """Postprocessing and resizing with the arguments of ``explain``."""

    def __init__(self, postprocessing: Postprocessing | None, resizing: Any):
        """Check the arguments; see ``explain`` for their meaning."""
        check_resizing(resizing)
        if postprocessing is not None:
            checks.is_callable("postprocessing", postprocessing)
        self.postprocessing, self.resizing = postprocessing, resizing

    def __call__(self, maps: Nested, batch: Batch, network: Model) -> Nested:
        """Return the maps of the rows in use, as NumPy arrays.

        Args:
            maps: Maps of each input, or of the layers of ``network``.
            batch: Inputs of ``network``.
            network: Model that was explained.
        """
        maps = map_structure(lambda x: postprocess(x, self.postprocessing), maps)
        maps = sized(maps, self.resizing, batch.inputs, network)
        return map_structure(lambda x: ops.convert_to_numpy(x)[: batch.used], maps)


def postprocess(maps: Tensor, postprocessing: Postprocessing | None) -> Tensor:
    """Return ``postprocessing(maps)``, with the axes of one map if it takes ``axis``.

    The axes of a map are those between the image axis and the unit axis.
    """
    if postprocessing is None:
        return maps
    checks.is_callable("postprocessing", postprocessing)
    if accepts_parameter(postprocessing, "axis"):
        return postprocessing(maps, axis=tuple(range(1, len(maps.shape) - 1)))
    return postprocessing(maps)


def sized(maps: Nested, resizing: Any, inputs: Nested, network: Model) -> Nested:
    """Return maps resized as ``resizing`` says.

    Args:
        maps: Maps of each input, by name if an input has none; or maps of a layer.
        resizing: None, True for the size of the input, or a size. Maps of a layer get
            the size of the input that it belongs to.
        inputs: Inputs (B, *spatial, C).
        network: Model that was explained.
    """
    if resizing is None or resizing is False:
        return maps
    if keras.tree.is_nested(maps):
        flat = flatten(inputs)
        if len(flatten(maps)) < len(flat):
            named = zip(names_in_order(symbolic_inputs(network)), flat, strict=True)
            inputs = {name: x for name, x in named if name in maps}
        return map_structure(lambda x, like: _sized(x, resizing, like), maps, inputs)
    return _sized(maps, resizing, input_of_layer(network, inputs))


def _sized(maps: Tensor, resizing: Any, like: Tensor) -> Tensor:
    size = map_shape(like.shape) if resizing is True else tuple(resizing)
    return resize(maps, size)


def input_of_layer(network: Model, inputs: Nested) -> Tensor:
    """Return the input that the maps of an exposed layer belong to."""
    first, *others = flatten(inputs)
    if others and is_exposed(network):
        return flatten(inputs)[inputs_of_exposed(network)[0]]
    return first


def check_resizing(resizing: Any) -> None:
    """Raise ValueError unless ``resizing`` is None, a boolean or a size."""
    if resizing is None or isinstance(resizing, bool):
        return
    size = resizing if isinstance(resizing, tuple | list) else ()
    if not size or not all(isinstance(side, int) and side > 0 for side in size):
        raise ValueError(
            "`resizing` must be True, or a size such as (height, width) in pixels; "
            f"received {resizing!r}."
        )


def resize(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """Return maps (B, *spatial, ..., K), linearly interpolated to another size.

    Raises:
        ValueError: If the maps have fewer spatial axes than ``size``.
    """
    found = tuple(maps.shape[1:-1])
    if len(found) < len(size):
        raise ValueError(
            f"`resizing` must be None, or a size for the maps' axes {found}; received "
            f"{size} (True is the size of the input). `layer=` may name another layer."
        )
    return interpolated(maps, size)
