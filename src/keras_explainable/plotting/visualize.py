"""Draws images, signals or volumes and their maps side by side in one picture."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, Literal

from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.plotting import (
    clipping,
    colormaps,
    image_panels,
    input_kind,
    picture_output,
    signal_panels,
    volume_panels,
)
from keras_explainable.plotting.panels import Panel, Style
from keras_explainable.plotting.picture_layout import Arrangement, Picture, arrange

#: Ranks of single inputs of each kind; a batch in a list has one axis more.
_RANKS = {"image": (2, 3), "signal": (1, 2), "volume": (3, 4)}

#: Ranks of arrays that are batches if they are alone.
_BATCH_RANKS = {"image": (4,), "signal": (2, 3), "volume": (5,)}

_SHAPES = {
    "image": "(H, W), (H, W, C), or batches (B, H, W, C) with kind='image'",
    "signal": "(T,), (T, C), or batches (B, T) or (B, T, C) with kind='signal'",
    "volume": "(D, H, W), (D, H, W, C), or batches (B, D, H, W, C) with kind='volume'",
}


def visualize(
    images: Any,
    titles: Sequence[str] | str | None = None,
    overlays: Any = None,
    overlay_alpha: float = 0.75,
    rows: int | None = None,
    cols: int | None = None,
    figsize: tuple[float, float] | None = None,
    cmap: Any = None,
    overlay_cmap: Any = None,
    to_file: str | os.PathLike[str] | None = None,
    to_buffer: BinaryIO | None = None,
    subplots_ws: float = 0.0,
    subplots_hs: float = 0.0,
    *,
    kind: Literal["image", "signal", "volume"] | None = None,
    maps: bool | None = None,
    row_labels: Sequence[str] | None = None,
    percentile: float = clipping.PERCENTILE,
    slices: int = 5,
    title_fontsize: float = 10,
    note: str = "",
) -> Any:
    """Draw images, signals or volumes and their maps as one grid, row by row.

    The picture is written to ``to_file`` and ``to_buffer``. Without either it is shown
    once: below the cell in a notebook, in a window in a script. Nothing is returned
    then, as a notebook would show a returned picture twice. Matplotlib's global state
    (its figures, settings and backend) stays as it was.

    PIL images and uint8 arrays are images. All other arrays are maps, and (H, W, K) has
    one panel for each of its K units. The exception is an array of floats (H, W, 3),
    which is an RGB image if its values look like one: multiples of 1/255, or integers
    up to 255, as in 8-bit images; or else values in 0..1, unless they are dark (below
    0.1 on average) like raw gradients, or each channel reaches exactly 0 and 1 like
    normalised maps. To rule out a wrong guess, set ``maps=True`` and pass images as
    uint8, or pass one unit after another: ``[*images, *maps[..., 0], *maps[..., 1]]``.

    The colours of a map end at its 99th percentile, as in the report of the command,
    for a few pixels of a gradient map are far larger than the others. A line below the
    picture says so if it makes a visible difference.

    With ``kind="signal"``, which is detected where shapes and values leave no doubt,
    inputs (T,) or (T, C) are lines, coloured by the map (T,) or
    (T, K) in ``overlays``; several channels are drawn above each other, each in its own
    range. With ``kind="volume"``, inputs (D, H, W) or (D, H, W, C) and their maps
    (D, H, W, K) are shown as slices along the first axis.

    Args:
        images: Images and maps, as NumPy arrays, tensors or PIL images: a list of
            them, one of them, or a batch (B, H, W, C). For other kinds, signals or
            volumes: a list, or a batch (B, T), (B, T, C) or (B, D, H, W, C).
        titles: One title per panel, or one per column.
        overlays: For each image a map (H, W), (H, W, 1) or (H, W, K), drawn over the
            image (K times), or ``None``. An array with an overlay is always an image.
        overlay_alpha: The opacity of the overlay where it is largest, 0..1; signals
            have none.
        rows: Number of rows; by default, as many as needed.
        cols: Number of columns; by default, equal numbers of images and maps, as in
            ``[*images, *maps]``, are aligned below each other.
        figsize: Width and height of the picture in inches.
        cmap: Colour map of the maps, a name or a matplotlib colour map. The default is
            ``"inferno"``, from 0 to the map's maximum, or ``"coolwarm"``, centred on
            0, for a map with negative values.
        overlay_cmap: Colour map of the overlays, with the same default; for signals it
            is ``"coolwarm"``, whose zero is visible on white.
        to_file: Path of a picture to write: PNG, or the format of its suffix, such as
            PDF or SVG.
        to_buffer: Binary file object to write a PNG to.
        subplots_ws: Further space between columns, as a fraction of the width of a
            panel.
        subplots_hs: Further space between rows, as a fraction of the height of a panel.
        kind: What the inputs are: "image", "signal" or "volume". The default is
            "image", or "signal" if shapes and values show that they are no images.
        maps: Whether floats (H, W, 3) are maps (True) or RGB images (False),
            regardless of their values. False also draws float volumes in grey.
        row_labels: A label for each row, on its left.
        percentile: Percentile of each map's magnitude at which its colours end, 0..100;
            100 is the largest magnitude.
        slices: Number of slices of each volume; fewer if it has fewer.
        title_fontsize: Font size of the titles in points.
        note: A line below the picture.

    Returns:
        None, or what was written to ``to_buffer``, as a PIL image.

    Raises:
        ValueError: If there is nothing to draw, a shape is none of the above, the grid
            is too small, or the number of titles, labels or overlays is wrong.
        FileNotFoundError: If the folder of ``to_file`` does not exist.
        ImportError: If matplotlib is not installed.
    """
    require("matplotlib")
    known_kind = _checked_kind(kind, images, overlays)
    _check(percentile, slices, subplots_ws, subplots_hs)
    style = Style(overlay_alpha, cmap, overlay_cmap, maps, percentile)
    arrays = _arrays(images, known_kind)
    panels = _panels(arrays, overlays, style, known_kind, slices)
    if known_kind == "volume":
        cols, titles = _columns_of_slices(arrays, slices, rows, cols, titles)
    arrangement = Arrangement(
        rows,
        cols,
        figsize,
        (subplots_ws, subplots_hs),
        title_fontsize,
        known_kind == "signal",
    )
    note = "\n".join(filter(None, [note, _note(panels, percentile)]))
    picture = arrange(panels, titles, row_labels, note, arrangement)
    return _output(picture, to_file, to_buffer)


def _output(picture: Picture, to_file: Any, to_buffer: BinaryIO | None) -> Any:
    """Write or show a picture; return what was written to the buffer."""
    if to_file is not None:
        picture_output.save(
            picture.draw, picture.size, picture_output.writable(to_file)
        )
    if to_buffer is not None:
        picture_output.save(picture.draw, picture.size, to_buffer)
    if to_file is None and to_buffer is None:
        picture_output.show(picture.draw, picture.size)
    return None if to_buffer is None else _image_in(to_buffer)


def _checked_kind(kind: Any, images: Any, overlays: Any) -> str:
    if kind is None:
        return input_kind.detect(images, overlays)
    checks.one_of("kind", kind, tuple(_RANKS))
    return str(kind)


def _check(
    percentile: float, slices: int, subplots_ws: float, subplots_hs: float
) -> None:
    clipping.check(percentile)
    checks.integer("slices", slices, 1)
    checks.number("subplots_ws", subplots_ws, 0)
    checks.number("subplots_hs", subplots_hs, 0)


def _note(panels: list[Panel], percentile: float) -> str:
    """Return what the picture says of its colours."""
    if not any(panel.clipped for panel in panels):
        return ""
    share = f"{100 - percentile:.3g}"
    return f"The highest {share} % of each map’s values share the strongest colour."


def _image_in(buffer: BinaryIO) -> Any:
    """Return the image in a buffer; None if it can only be written."""
    if not (buffer.readable() and buffer.seekable()):
        return None
    return require("PIL.Image").open(buffer)


# The panels


def _panels(
    arrays: list[NDArray[Any]], overlays: Any, style: Style, kind: str, slices: int
) -> list[Panel]:
    maps_above = _maps_above(arrays, overlays, kind)
    if len(maps_above) != len(arrays):
        raise ValueError(
            f"`overlays` must be as many as `images`, {len(arrays)}; "
            f"received {len(maps_above)}."
        )
    return [
        panel
        for array, map_ in zip(arrays, maps_above, strict=True)
        for panel in _panels_of(array, map_, style, kind, slices)
    ]


def _maps_above(arrays: list[NDArray[Any]], overlays: Any, kind: str) -> list[Any]:
    if overlays is None:
        return [None] * len(arrays)
    # The map (T, K) of a single signal has the rank of a batch.
    one = kind == "signal" and len(arrays) == 1 and len(overlays) != 1
    return list(_as_list(overlays, (3,) if one else _BATCH_RANKS[kind]))


def _panels_of(
    array: NDArray[Any], map_: Any, style: Style, kind: str, slices: int
) -> list[Panel]:
    if kind == "signal":
        return signal_panels.panels_of(array, map_, style)
    if kind == "volume":
        return volume_panels.panels_of(array, map_, style, slices)
    return image_panels.panels_of(array, map_, style)


def _arrays(images: Any, kind: str) -> list[NDArray[Any]]:
    """Return single inputs and maps; batches, alone or in a list, are split."""
    low, high = _RANKS[kind]
    found: list[NDArray[Any]] = []
    for item in _as_list(images, _BATCH_RANKS[kind]):
        array = colormaps.to_numpy(item)
        if not low <= array.ndim <= high + 1 or not array.size:
            raise ValueError(
                f"`images` must be {_SHAPES[kind]}; received shape {array.shape}."
            )
        found.extend(array if array.ndim > high else [array])
    if not found:
        raise ValueError("`images` must hold at least one image or map; received none.")
    return found


def _as_list(images: Any, batch_ranks: tuple[int, ...]) -> Iterable[Any]:
    """Return lists and batches as they are, anything else in a list."""
    if hasattr(images, "shape") and len(images.shape) in batch_ranks:
        return colormaps.to_numpy(images)
    single = hasattr(images, "shape") or hasattr(images, "convert")
    return [images] if single else images


def _columns_of_slices(
    arrays: list[NDArray[Any]], slices: int, rows: Any, cols: Any, titles: Any
) -> tuple[Any, Any]:
    """Return a column for each slice, with its number, unless others are given."""
    numbers = volume_panels.slice_numbers(len(arrays[0]), slices)
    if rows is None and cols is None:
        cols = len(numbers)
    same = len({len(array) for array in arrays}) == 1 and cols == len(numbers)
    if titles is None and same:
        titles = [f"slice {number}" for number in numbers]
    return cols, titles
