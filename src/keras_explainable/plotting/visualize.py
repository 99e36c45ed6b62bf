"""Draws images, signals or volumes and their maps side by side in one picture."""

import os
from collections.abc import Sequence
from typing import Any, BinaryIO, Literal

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.plotting import (
    clipping,
    input_kind,
    kind_panels,
    picture_output,
)
from keras_explainable.plotting.panels import Panel, Style
from keras_explainable.plotting.picture_layout import Arrangement, Picture, arrange


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
    kind: Literal["image", "signal", "volume", "table", "text"] | None = None,
    maps: bool | Sequence[bool] | None = None,
    row_labels: Sequence[str] | None = None,
    percentile: float = clipping.PERCENTILE,
    slices: int = 5,
    title_fontsize: float = 10,
    note: str = "",
    words: Sequence[str] | Sequence[Sequence[str]] | None = None,
) -> Any:
    """Draw images, signals or volumes and their maps as one grid, row by row.

    The picture is written to ``to_file`` and ``to_buffer``. Without either it is shown
    once: below the cell in a notebook, in a window in a script. Nothing is returned
    then, as a notebook would show a returned picture twice. Matplotlib's global state
    (its figures, settings and backend) stays as it was.

    PIL images and uint8 arrays are images. All other arrays are maps, and (H, W, K) has
    one panel for each of its K units, unless the values leave no doubt. Floats (H, W),
    (H, W, 1) and (H, W, 3) are grey and RGB images if they have at most 256 equally
    spaced levels, as 8-bit images have however they were scaled. Values (H, W, 3) in
    0..1 or 0..255 are an image, too, unless they are dark (a mean below a tenth) like
    raw gradients, or each channel reaches exactly 0 and 1 like normalised maps. Others,
    such as resized grey images, are images if ``maps`` says so:
    ``visualize([x, maps], maps=[False, True])``.

    Images are drawn in the range 0..1 or 0..255. Those in other ranges, such as -1..1
    or 0..1.5, are drawn from their least value to their largest.

    The colours of a map end at its 99th percentile, as in the report of the command,
    for a few pixels of a gradient map are far larger than the others. A line below the
    picture says so if it makes a visible difference.

    With ``kind="signal"``, which is detected where shapes and values leave no doubt,
    inputs (T,) or (T, C) are lines, coloured by the map (T,) or (T, K) in ``overlays``;
    several channels are drawn above each other, each in its own range. They share their
    map, or have their own, (T, C, K). With ``kind="volume"``, inputs (D, H, W) or
    (D, H, W, C) and their maps (D, H, W, K) are shown as slices along the first axis.
    With ``kind="table"``, the map (F,) or (F, K) of an input (F,) is drawn as bars, red
    if they are positive and blue if they are negative, beside the features and their
    values. With ``kind="text"``, numbers of words (T,) are written as ``words``, on
    backgrounds that are coloured by the map (T,) or (T, K). Padding at the ends is not:
    empty words of a vocabulary, or zeros without one.

    Args:
        images: Images and maps, as NumPy arrays, tensors or PIL images: a list of
            them, one of them, or a batch (B, H, W, C). For other kinds, signals or
            volumes: a list, or a batch (B, T), (B, T, C) or (B, D, H, W, C).
        titles: One title per panel, or one per column.
        overlays: For each image a map (H, W), (H, W, 1) or (H, W, K), drawn over the
            image (K times), or ``None``. An array with an overlay is always an image.
        overlay_alpha: The opacity of the overlay where it is largest, 0..1; signals
            have none.
        rows: Number of rows; by default, one for each of ``row_labels`` if the panels
            fill them, or as many as needed.
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
        kind: What the inputs are: "image", "signal", "volume", "table" or "text". The
            default is "image", or "signal" if shapes and values show that they are no
            images.
        maps: Whether arrays other than uint8 are maps (True) or images (False),
            regardless of their values; one value for all, or one for each element of
            the list ``images``, which may be a batch. Arrays of other than 1, 3 or 4
            channels are maps. False also draws float volumes in grey.
        row_labels: A label for each row, on its left.
        percentile: Percentile of each map's magnitude at which its colours end, 0..100;
            100 is the largest magnitude.
        slices: Number of slices of each volume; fewer if it has fewer.
        title_fontsize: Font size of the titles in points.
        note: A line below the picture.
        words: For texts, a list of the words of each, or a vocabulary in which numbers
            are looked up, such as ``TextVectorization.get_vocabulary()``; the default
            is to write the numbers. For tables, the names of the features.

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
    style = Style(overlay_alpha, cmap, overlay_cmap, None, percentile, slices)
    inputs = kind_panels.inputs_of(images, overlays, words, known_kind, maps)
    panels = kind_panels.panels_of(inputs, style)
    if known_kind == "volume":
        cols, titles = kind_panels.columns_of_slices(
            inputs.arrays, slices, rows, cols, titles
        )
    arrangement = Arrangement(
        rows,
        cols,
        figsize,
        (subplots_ws, subplots_hs),
        title_fontsize,
        kind_panels.tick_room(inputs),
        kind_panels.widest(inputs),
    )
    own = dict.fromkeys(panel.note for panel in panels)
    note = "\n".join(filter(None, [note, *own, _note(panels, percentile)]))
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
    checks.one_of("kind", kind, tuple(kind_panels.RANKS))
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
