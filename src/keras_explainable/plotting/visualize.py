"""Draws images and maps side by side in one picture."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.plotting import colormaps, panel_grid, picture_output


class _Panel(NamedTuple):
    pixels: colormaps.Pixels
    kind: str  # "i" for an image, "m" for a map


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
    maps: bool | None = None,
    title_fontsize: float = 10,
) -> Any:
    """Draw images and maps as the panels of one grid, row by row.

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

    Args:
        images: Images and maps, as NumPy arrays, tensors or PIL images: a list of
            them, one of them, or a batch (B, H, W, C).
        titles: One title per panel, or one per column.
        overlays: For each image a map (H, W), (H, W, 1) or (H, W, K), drawn over the
            image (K times), or ``None``. An array with an overlay is always an image.
        overlay_alpha: The opacity of the overlay where it is largest, 0..1.
        rows: Number of rows; by default, as many as needed.
        cols: Number of columns; by default, equal numbers of images and maps, as in
            ``[*images, *maps]``, are aligned below each other.
        figsize: Width and height of the picture in inches.
        cmap: Colour map of the maps, a name or a matplotlib colour map. The default is
            ``"inferno"``, from 0 to the map's maximum, or ``"coolwarm"``, centred on
            0, for a map with negative values.
        overlay_cmap: Colour map of the overlays, with the same default.
        to_file: Path of a picture to write: PNG, or the format of its suffix, such as
            PDF or SVG.
        to_buffer: Binary file object to write a PNG to.
        subplots_ws: Further space between columns, as a fraction of the width of a
            panel.
        subplots_hs: Further space between rows, as a fraction of the height of a panel.
        maps: Whether floats (H, W, 3) are maps (True) or RGB images (False),
            regardless of their values.
        title_fontsize: Font size of the titles in points.

    Returns:
        None, or what was written to ``to_buffer``, as a PIL image.

    Raises:
        ValueError: If there is nothing to draw, a shape is none of the above, the grid
            is too small, or the number of titles or overlays is wrong.
        FileNotFoundError: If the folder of ``to_file`` does not exist.
        ImportError: If matplotlib is not installed.
    """
    require("matplotlib")
    spaces = subplots_ws, subplots_hs
    _check_spaces(subplots_ws=subplots_ws, subplots_hs=subplots_hs)
    panels = _panels(images, overlays, overlay_alpha, cmap, overlay_cmap, maps)
    kinds = "".join(panel.kind for panel in panels)
    _, cols = shape = panel_grid.grid_shape(kinds, rows, cols)
    width = panel_grid.panel_width(cols, figsize, spaces[0])
    names = [
        panel_grid.wrap_title(name, width, title_fontsize)
        for name in _names(titles, len(panels), cols)
    ]
    aspect = max(panel.pixels.shape[0] / panel.pixels.shape[1] for panel in panels)
    layout = panel_grid.make_layout(
        names, aspect, shape, figsize, title_fontsize, spaces
    )

    def draw(figure: Any) -> None:
        for number, (panel, name) in enumerate(zip(panels, names, strict=True)):
            axes = figure.add_axes(layout.box(*divmod(number, cols)))
            _draw_panel(axes, panel.pixels, name, title_fontsize)

    if to_file is not None:
        picture_output.save(draw, layout.size, picture_output.writable(to_file))
    if to_buffer is not None:
        picture_output.save(draw, layout.size, to_buffer)
    if to_file is None and to_buffer is None:
        picture_output.show(draw, layout.size)
    return None if to_buffer is None else _image_in(to_buffer)


def _check_spaces(**spaces: float) -> None:
    for name, value in spaces.items():
        checks.number(name, value, 0)


def _image_in(buffer: BinaryIO) -> Any:
    """Return the image in a buffer; None if it can only be written."""
    if not (buffer.readable() and buffer.seekable()):
        return None
    return require("PIL.Image").open(buffer)


# The panels


def _panels(
    images: Any, overlays: Any, alpha: float, cmap: Any, overlay_cmap: Any, maps: Any
) -> list[_Panel]:
    arrays = _arrays(images)
    if not arrays:
        raise ValueError("`images` must hold at least one image or map; received none.")
    maps_above = [None] * len(arrays) if overlays is None else list(_as_list(overlays))
    if len(maps_above) != len(arrays):
        raise ValueError(
            f"`overlays` must be as many as `images`, {len(arrays)}; "
            f"received {len(maps_above)}."
        )
    return [
        panel
        for array, map_ in zip(arrays, maps_above, strict=True)
        for panel in (
            _panels_of(array, cmap, maps)
            if map_ is None
            else _overlays(array, map_, alpha, overlay_cmap)
        )
    ]


def _arrays(images: Any) -> list[NDArray[Any]]:
    """Return single images and maps; batches, alone or in a list, are split."""
    found: list[NDArray[Any]] = []
    for item in _as_list(images):
        array = colormaps.to_numpy(item)
        if array.ndim not in (2, 3, 4) or not array.size:
            raise ValueError(
                "`images` must be (H, W), (H, W, C), or batches (B, H, W, C); "
                f"received shape {array.shape}."
            )
        found.extend(array if array.ndim == 4 else [array])
    return found


def _as_list(images: Any) -> Iterable[Any]:
    """Return lists and batches (rank 4) as they are, anything else in a list."""
    if hasattr(images, "shape") and len(images.shape) == 4:
        return colormaps.to_numpy(images)
    single = hasattr(images, "shape") or hasattr(images, "convert")
    return [images] if single else images


def _panels_of(array: NDArray[Any], cmap: Any, maps: bool | None) -> list[_Panel]:
    if _is_image(array, maps):
        return [_Panel(colormaps.to_rgb(array), "i")]
    return [_Panel(colormaps.colorize(unit, cmap), "m") for unit in _units(array)]


def _overlays(array: NDArray[Any], map_: Any, alpha: float, cmap: Any) -> list[_Panel]:
    units = _units(colormaps.to_numpy(map_))
    return [_Panel(colormaps.overlay(array, unit, alpha, cmap), "m") for unit in units]


def _units(maps: NDArray[Any]) -> Iterable[NDArray[Any]]:
    return np.moveaxis(maps, -1, 0) if maps.ndim == 3 else [maps]


def _is_image(array: NDArray[Any], maps: bool | None) -> bool:
    """Return whether an array is an image, by the rule of ``visualize``."""
    if array.dtype == np.uint8:
        return True
    if array.ndim != 3 or array.shape[-1] != 3:
        return False
    return _looks_like_an_image(array.astype("float32")) if maps is None else not maps


def _looks_like_an_image(values: NDArray[np.float32]) -> bool:
    low, high = values.min((0, 1)), values.max((0, 1))
    if not (low.min() >= 0 and high.max() <= 255):
        return False
    steps = values * 255 if high.max() <= 1 else values
    # A tolerance of a tenth of a step allows for half precision.
    if (np.abs(steps - np.rint(steps)) < 0.1).all():
        return True
    normalized = (low == 0).all() and np.isin(high, (0, 1)).all()
    return bool(high.max() <= 1 and values.mean() >= 0.1 and not normalized)


def _names(titles: Any, count: int, cols: int) -> list[str]:
    if titles is None:
        return [""] * count
    names = [titles] if isinstance(titles, str) else [str(title) for title in titles]
    if len(names) not in (count, cols):
        raise ValueError(
            f"`titles` must be as many as the panels, {count}, or the columns, {cols}; "
            f"received {len(names)}."
        )
    return names + [""] * (count - len(names))


# Output


def _draw_panel(
    axes: Any, pixels: colormaps.Pixels, name: str, fontsize: float
) -> None:
    axes.imshow(pixels, origin="upper", aspect="equal")
    axes.set_anchor("N")
    axes.set_axis_off()
    axes.set_title(name, fontsize=fontsize, color="black", pad=3, parse_math=False)
