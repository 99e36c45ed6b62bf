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
from keras_explainable.network.model_inputs import map_shape
from keras_explainable.types import Tensor

Postprocessing = Callable[..., Tensor]


class Finish:
    """Postprocessing and resizing with the arguments of ``explain``."""

    def __init__(self, postprocessing: Postprocessing | None, resizing: Any):
        """Check the arguments; see ``explain`` for their meaning."""
        check_resizing(resizing)
        if postprocessing is not None:
            checks.is_callable("postprocessing", postprocessing)
        self.postprocessing, self.resizing = postprocessing, resizing

    def __call__(self, maps: Nested, batch: Batch) -> Nested:
        """Return the maps of the rows in use, as NumPy arrays."""
        maps = map_structure(lambda x: postprocess(x, self.postprocessing), maps)
        maps = sized(maps, self.resizing, batch.inputs)
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


def sized(maps: Nested, resizing: Any, inputs: Nested) -> Nested:
    """Return maps resized as ``resizing`` says.

    Args:
        maps: Maps of each input, or of all inputs together, (B, *spatial, ..., K).
        resizing: None, True for the size of the input, or a size. If there are several
            inputs, maps of a layer get the size of the first input with the same rank.
        inputs: Inputs (B, *spatial, C).
    """
    if resizing is None or resizing is False:
        return maps
    if keras.tree.is_nested(maps):
        return map_structure(lambda part, x: sized(part, resizing, x), maps, inputs)
    alike = [x for x in flatten(inputs) if len(x.shape) == len(maps.shape)]
    shape = (alike or flatten(inputs))[0].shape
    return resize(maps, map_shape(shape) if resizing is True else tuple(resizing))


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
