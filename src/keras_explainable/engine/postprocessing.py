"""What is done to the maps of a batch before they are handed out."""

from collections.abc import Callable
from typing import Any

import keras

from keras_explainable.common import checks
from keras_explainable.common.interpolation import interpolated
from keras_explainable.common.structures import Nested, flatten, map_structure
from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.network.model_inputs import map_shape
from keras_explainable.types import Tensor

Postprocessing = Callable[..., Tensor]


def postprocess(maps: Tensor, postprocessing: Postprocessing | None) -> Tensor:
    """Return ``postprocessing(maps)``, told the axes of one map if it takes ``axis``.

    A map is what lies between the axis of images and that of units.
    """
    if postprocessing is None:
        return maps
    checks.is_callable("postprocessing", postprocessing)
    if accepts_parameter(postprocessing, "axis"):
        return postprocessing(maps, axis=tuple(range(1, len(maps.shape) - 1)))
    return postprocessing(maps)


def sized(maps: Nested, resizing: Any, inputs: Nested) -> Nested:
    """Return maps in the size that ``resizing`` asks for.

    Args:
        maps: (B, *spatial, ..., K), of each input or of all together.
        resizing: None, True for the size of the input, or a size. Where there are
            several inputs, maps of a layer get the size of the first one with as many
            axes.
        inputs: (B, *spatial, C).
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
    """Return maps (B, *spatial, ..., K) in another size, linearly interpolated.

    Raises:
        ValueError: if they have not as many spatial axes.
    """
    found = tuple(maps.shape[1:-1])
    if len(found) < len(size):
        raise ValueError(
            f"`resizing` must be None, or a size for the maps' axes {found}; received "
            f"{size} (of the input, with True). `layer=` may name another layer."
        )
    return interpolated(maps, size)
