"""What is done to the maps of a batch before they are handed out."""

from collections.abc import Callable
from typing import Any

from keras_explainable.compilation import accepts
from keras_explainable.resizing import resized
from keras_explainable.types import Tensor
from keras_explainable.units import map_shape

Postprocessing = Callable[..., Tensor]


def postprocess(maps: Tensor, postprocessing: Postprocessing | None) -> Tensor:
    """Return ``postprocessing(maps)``, told the axes of one map if it takes ``axis``.

    A map is what lies between the axis of images and that of units.
    """
    if postprocessing is None:
        return maps
    if accepts(postprocessing, "axis"):
        return postprocessing(maps, axis=tuple(range(1, len(maps.shape) - 1)))
    return postprocessing(maps)


def target_size(resizing: Any, inputs: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return the size that ``resizing`` asks for; None keeps the maps' own.

    Args:
        resizing: None, True for the size of the inputs, or a size.
        inputs: shape of the inputs (B, *spatial, C).
    """
    if resizing is None or resizing is False:
        return None
    return map_shape(inputs) if resizing is True else tuple(resizing)


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


def resize(maps: Tensor, size: tuple[int, ...] | None) -> Tensor:
    """Return maps (B, *spatial, ..., K) in another size, linearly interpolated.

    Raises:
        ValueError: if they have not as many spatial axes.
    """
    if size is None:
        return maps
    found = tuple(maps.shape[1:-1])
    if len(found) < len(size):
        raise ValueError(
            f"`resizing` must be None, or a size for the maps' axes {found}; received "
            f"{size} (of the input, with True). `layer=` may name another layer."
        )
    return resized(maps, size)
