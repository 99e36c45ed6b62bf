"""What is done to the maps of a batch before they are handed out."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_explainable.compilation import accepts
from keras_explainable.types import Tensor

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


def target_size(resizing: Any, inputs: tuple[int, ...]) -> tuple[int, int] | None:
    """Return the (height, width) that ``resizing`` asks for; None keeps the maps' own.

    Args:
        resizing: None, True for the size of the inputs, or a size.
        inputs: shape of the inputs (B, H, W, ...).
    """
    if resizing is None or resizing is False:
        return None
    height, width = inputs[1:3] if resizing is True else resizing
    return height, width


def check_resizing(resizing: Any) -> None:
    """Raise ValueError unless ``resizing`` is None, a boolean or a size."""
    if resizing is None or isinstance(resizing, bool):
        return
    size = resizing if isinstance(resizing, tuple | list) else ()
    if len(size) != 2 or not all(isinstance(side, int) and side > 0 for side in size):
        raise ValueError(
            "`resizing` must be True, or a size (height, width) in pixels; "
            f"received {resizing!r}."
        )


def resize(maps: Tensor, size: tuple[int, int] | None) -> Tensor:
    """Return maps (B, H, W, ...) in another size, bilinearly interpolated."""
    if size is None or tuple(maps.shape[1:3]) == size:
        return maps
    planes = ops.reshape(maps, (*maps.shape[:3], -1))
    planes = ops.image.resize(planes, size, data_format="channels_last")
    return ops.reshape(planes, (maps.shape[0], *size, *maps.shape[3:]))
