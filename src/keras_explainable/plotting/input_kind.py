"""Recognizes signals among what may be images and maps."""

from typing import Any

from numpy.typing import NDArray

from keras_explainable.plotting import colormaps, image_range
from keras_explainable.plotting.recognized_images import is_image

#: An array (T, C) that is so many times as long as it is wide, and so narrow, is rather
#: a signal than a map (H, W).
_STRIP, _NARROW = 8, 16


def detect(images: Any, overlays: Any) -> str:
    """Return the kind of inputs whose kind is not given: "image" or "signal".

    Raises:
        ValueError: If they look like signals, but may be maps.
    """
    if overlays is not None and _rank(images) == 3 and _rank(overlays) == 3:
        same = images.shape[:2] == overlays.shape[:2]
        signals = same and not _may_be_image(colormaps.to_numpy(images))
        return "signal" if signals else "image"
    shapes = [*_shapes(images), *_shapes(overlays)]
    if not shapes or any(len(shape) != 2 for shape in shapes):
        return "image"
    lengths = {length for length, _ in shapes}
    if len(lengths) == 1 and 1 in {width for _, width in shapes} and lengths != {1}:
        return "signal"
    if all(n >= _STRIP * width and width <= _NARROW for n, width in shapes):
        raise ValueError(
            "`kind` must be given for arrays that are far longer than wide: "
            'kind="signal" for signals (T, C), or kind="image" for maps (H, W); '
            f"received shape {shapes[0]}."
        )
    return "image"


def _rank(array: Any) -> int:
    return len(getattr(array, "shape", ()))


def _shapes(arrays: Any) -> list[tuple[int, ...]]:
    """Return the shapes of what a list holds, or that of one array (T, C)."""
    if _rank(arrays) == 2:
        return [tuple(arrays.shape)]
    if not isinstance(arrays, list | tuple):
        return []
    return [tuple(getattr(array, "shape", ())) for array in arrays]


def _may_be_image(array: NDArray[Any]) -> bool:
    if array.shape[-1] not in (1, 3, 4) or not array.size:
        return not array.size
    low, high = float(array.min()), float(array.max())
    fits = any(image_range.fits(low, high, top) for top in (1, 255))
    return fits or is_image(array, None)
