"""Label maps: which class each pixel belongs to, made from maps, coloured and boxed."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.plotting import colormaps

Labels = NDArray[np.int64]

_LINE = 14  # pixels per line of a legend


def label_map(maps: Any, threshold: float = 0.4, units: Any = None) -> Labels:
    """Return the class that has the largest map at each pixel, if it is large enough.

    This is how maps become seeds for weakly supervised segmentation.

    Args:
        maps: Maps (..., H, W, K) of K classes, usually rescaled to 0..1 each, as
            ``ke.cam`` returns them.
        threshold: Value that a map must exceed; other pixels are background.
        units: Which of the classes an image has, (..., K), such as probabilities above
            0.5; the others are left out. None for all.

    Returns:
        Integers (..., H, W): 0 for the background, and k + 1 for class k.

    Raises:
        ValueError: If a shape is wrong.
    """
    values = colormaps.to_numpy(maps)
    if values.ndim < 3 or not values.size:
        raise ValueError(
            f"`maps` must be (..., H, W, K); received shape {values.shape}."
        )
    if units is not None:
        chosen, shape = np.asarray(units, bool), (*values.shape[:-3], values.shape[-1])
        if chosen.shape != shape:
            raise ValueError(
                f"`units` must be {shape}, whether an image has each class; "
                f"received shape {chosen.shape}."
            )
        values = np.where(chosen[..., None, None, :], values, -np.inf)
    largest = values.argmax(axis=-1)
    return np.where(values.max(axis=-1) > threshold, largest + 1, 0).astype("int64")


def bounding_boxes(
    map_: Any, threshold: float = 0.5, smallest: int = 1
) -> NDArray[np.int64]:
    """Return a box around each connected region in which a map is large.

    Args:
        map_: Map (H, W) or (H, W, 1); or a mask, with ``threshold=0``.
        threshold: Value that the map must exceed.
        smallest: The fewest pixels of a region. Pixels are connected by their sides.

    Returns:
        Integers (N, 4), the largest region first: (top, left, bottom, right) in pixels,
        without the last row and column, as in ``image[top:bottom, left:right]``.

    Raises:
        ValueError: If ``map_`` is not a single map.
        ImportError: If SciPy is not installed.
    """
    checks.integer("smallest", smallest, 1)
    ndimage = require("scipy.ndimage")
    regions, count = ndimage.label(colormaps.single_map(map_) > threshold)
    sizes = np.bincount(regions.ravel(), minlength=count + 1)[1:]
    places = ndimage.find_objects(regions)
    kept = [n for n in np.argsort(-sizes, kind="stable") if sizes[n] >= smallest]
    boxes = [
        [rows.start, cols.start, rows.stop, cols.stop]
        for rows, cols in (places[n] for n in kept)
    ]
    return np.array(boxes, "int64").reshape(-1, 4)


def color_labels(
    labels: Any,
    image: Any = None,
    *,
    colors: ArrayLike | None = None,
    alpha: float = 0.6,
    boxes: Iterable[Sequence[int]] = (),
) -> colormaps.Pixels:
    """Return a label map in colours, over an image if there is one.

    Args:
        labels: Integers (H, W): 0 for the background, k + 1 for class k.
        image: Image (H, W), (H, W, 1) or (H, W, 3); None for black.
        colors: Colours (K + 1, 3) from 0 to 1, that of the background first; by default
            those of matplotlib's ``tab20`` but grey, repeated after 18 classes.
        alpha: Opacity of the colours over the image, 0..1; the background has none.
        boxes: Boxes (top, left, bottom, right) to outline in white.

    Returns:
        uint8 (H, W, 3).

    Raises:
        ValueError: If a shape is wrong or a label has no colour.
        ImportError: If the colours are matplotlib's, and it is not installed.
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"`alpha` must be in 0..1; received {alpha!r}.")
    places = _checked_labels(labels)
    colored = _palette(int(places.max()) + 1, colors)[places]
    if image is not None:
        below = colormaps.to_rgb(image).astype("float32")
        if below.shape != colored.shape:
            raise ValueError(
                f"`image` must have the size of `labels`, {places.shape}; "
                f"received {below.shape[:2]}."
            )
        colored = below + (colored - below) * np.where(places > 0, alpha, 0)[..., None]
    pixels: colormaps.Pixels = np.rint(colored).astype("uint8")
    for top, left, bottom, right in boxes:
        pixels[top:bottom, [left, right - 1]] = 255
        pixels[[top, bottom - 1], left:right] = 255
    return pixels


def legend(
    names: Sequence[str], *, colors: ArrayLike | None = None, width: int = 96
) -> colormaps.Pixels:
    """Return a picture that says which colour stands for which class.

    It is a panel for ``ke.utils.visualize`` beside those of ``color_labels``.

    Args:
        names: Names of the classes.
        colors: As for ``color_labels``.
        width: Width in pixels.

    Returns:
        uint8 (14 x number of names, width, 3).

    Raises:
        ImportError: If Pillow or matplotlib is not installed.
    """
    palette = _palette(len(names) + 1, colors).astype("uint8")
    picture = require("PIL.Image").new("RGB", (width, _LINE * len(names)), "white")
    draw = require("PIL.ImageDraw").Draw(picture)
    for number, name in enumerate(names):
        top = _LINE * number
        draw.rectangle((2, top + 2, 11, top + 11), fill=tuple(palette[number + 1]))
        draw.text((16, top + 1), str(name), fill="black")
    return np.array(picture)


def _checked_labels(labels: Any) -> Labels:
    places = colormaps.to_numpy(labels)
    if places.ndim != 2 or not places.size or places.dtype.kind not in "iu":
        raise ValueError(
            "`labels` must be integers (H, W); received "
            f"{places.dtype} of shape {places.shape}."
        )
    if places.min() < 0:
        raise ValueError(f"`labels` must be at least 0; received {places.min()}.")
    return places.astype("int64")


def _palette(count: int, colors: ArrayLike | None) -> NDArray[np.float32]:
    """Return colours (count, 3) from 0 to 255, at least."""
    if colors is None:
        known = require("matplotlib").colormaps["tab20"].colors
        # Strong colours first, then the pale ones beside them; no grey, as of images.
        ordered = [c for c in (*known[::2], *known[1::2]) if len({*c}) > 1]
        repeated = [ordered[n % len(ordered)] for n in range(count)]
        return 255 * np.array([(0, 0, 0), *repeated], "float32")
    palette = np.asarray(colors, "float32")
    if palette.ndim != 2 or palette.shape[1] != 3 or len(palette) < count:
        raise ValueError(
            f"`colors` must be ({count}, 3), one for the background and one for each "
            f"class; received shape {palette.shape}."
        )
    if not (palette.min() >= 0 and palette.max() <= 1):
        raise ValueError(
            "`colors` must be from 0 to 1; received "
            f"{palette.min():g} to {palette.max():g}."
        )
    return 255 * palette
