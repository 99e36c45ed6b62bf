"""Images and maps, side by side in one picture."""

import importlib
import io
import os
import pathlib
import sys
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting import colormaps, panel_grid

__all__ = ["visualize"]

_DPI = 150  # pixels per inch

_Draw = Callable[[Any], None]


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
    *,
    maps: bool | None = None,
    title_fontsize: float = 10,
) -> None:
    """Draw images and maps as the panels of one grid, row by row.

    The picture goes to ``to_file`` and ``to_buffer``. Without either it is shown
    once: below the cell in a notebook, in a window in a script. Nothing is returned
    (a notebook would show a figure twice), and matplotlib's own state, its figures,
    settings and backend, stays as it was.

    Which is what? PIL images and uint8 arrays are images; all other arrays are maps,
    (H, W, K) a panel for each of its K units. An exception are floats (H, W, 3),
    which are an RGB image if their values say so: whole multiples of 1/255, or whole
    numbers up to 255, as 8-bit images have; or else values in 0..1, unless they are
    dark (below 0.1 on average) as bare gradients are, or each of the three reaches
    exactly 0 and 1 as normalised maps do. To leave nothing to the values, say
    ``maps=True`` and pass images as uint8, or pass one unit after another:
    ``[*images, *maps[..., 0], *maps[..., 1]]``.

    Args:
        images: Images and maps, as NumPy arrays, tensors or PIL images: a list of
            them, one of them, or a batch (B, H, W, C).
        titles: One for each panel, or one for each column.
        overlays: For each image a map (H, W), (H, W, 1) or (H, W, K), drawn above
            it (K times), or ``None``. What is below a map is taken for an image.
        overlay_alpha: Share of the overlay where it is largest, 0..1.
        rows: Rows of the grid; by default, as many as needed.
        cols: Columns of the grid; by default, images and maps of equal numbers, as
            in ``[*images, *maps]``, come to lie below each other.
        figsize: Width and height of the picture in inches.
        cmap: Colour map of the maps, a name or a matplotlib colour map. By default
            ``colors.SEQUENTIAL``, from 0 to the map's maximum, or
            ``colors.DIVERGING``, centred on 0, for a map with negative values.
        overlay_cmap: Colour map of the overlays, likewise.
        to_file: Path of a picture to write: PNG, or as its suffix says (PDF, SVG).
        to_buffer: Binary file object to write a PNG to.
        maps: Whether floats (H, W, 3) are maps (True) or RGB images (False),
            whatever their values.
        title_fontsize: In points.

    Raises:
        ValueError: if there is nothing to draw, a shape is none of the above, the
            grid is too small, or titles or overlays are too few or too many.
        FileNotFoundError: if the folder of ``to_file`` does not exist.
        ImportError: if matplotlib is not installed.
    """
    colormaps.needed("matplotlib")
    panels = _panels(images, overlays, overlay_alpha, cmap, overlay_cmap, maps)
    rows, cols = panel_grid.grid("".join(panel.kind for panel in panels), rows, cols)
    width = panel_grid.panel_width(cols, figsize)
    names = [
        panel_grid.wrapped(name, width, title_fontsize)
        for name in _names(titles, len(panels), cols)
    ]
    slope = max(panel.pixels.shape[0] / panel.pixels.shape[1] for panel in panels)
    layout = panel_grid.arranged(names, slope, (rows, cols), figsize, title_fontsize)

    def draw(figure: Any) -> None:
        for number, (panel, name) in enumerate(zip(panels, names, strict=True)):
            axes = figure.add_axes(layout.box(*divmod(number, cols)))
            _draw_panel(axes, panel.pixels, name, title_fontsize)

    if to_file is not None:
        _save(draw, layout.size, _writable(to_file))
    if to_buffer is not None:
        _save(draw, layout.size, to_buffer)
    if to_file is None and to_buffer is None:
        _show(draw, layout.size)


# What to draw


def _panels(
    images: Any, overlays: Any, alpha: float, cmap: Any, overlay_cmap: Any, maps: Any
) -> list[_Panel]:
    arrays = _arrays(images)
    if not arrays:
        raise ValueError("`images` must hold at least one image or map; received none.")
    above = [None] * len(arrays) if overlays is None else list(_listed(overlays))
    if len(above) != len(arrays):
        raise ValueError(
            f"`overlays` must be as many as `images`, {len(arrays)}; "
            f"received {len(above)}."
        )
    return [
        panel
        for array, map_ in zip(arrays, above, strict=True)
        for panel in (
            _plain(array, cmap, maps)
            if map_ is None
            else _overlaid(array, map_, alpha, overlay_cmap)
        )
    ]


def _arrays(images: Any) -> list[NDArray[Any]]:
    """Lists single images and maps; batches, alone or in a list, are taken apart."""
    found: list[NDArray[Any]] = []
    for item in _listed(images):
        array = colormaps.to_numpy(item)
        if array.ndim not in (2, 3, 4) or not array.size:
            raise ValueError(
                "`images` must be (H, W), (H, W, C), or batches (B, H, W, C); "
                f"received shape {array.shape}."
            )
        found.extend(array if array.ndim == 4 else [array])
    return found


def _listed(images: Any) -> Iterable[Any]:
    """Arrays of rank 4 and lists are many; all other arrays and PIL images are one."""
    if hasattr(images, "shape") and len(images.shape) == 4:
        return colormaps.to_numpy(images)
    one = hasattr(images, "shape") or hasattr(images, "convert")
    return [images] if one else images


def _plain(array: NDArray[Any], cmap: Any, maps: bool | None) -> list[_Panel]:
    if _is_image(array, maps):
        return [_Panel(colormaps.to_rgb(array), "i")]
    return [_Panel(colormaps.colorize(unit, cmap), "m") for unit in _units(array)]


def _overlaid(array: NDArray[Any], map_: Any, alpha: float, cmap: Any) -> list[_Panel]:
    units = _units(colormaps.to_numpy(map_))
    return [_Panel(colormaps.overlay(array, unit, alpha, cmap), "m") for unit in units]


def _units(maps: NDArray[Any]) -> Iterable[NDArray[Any]]:
    return np.moveaxis(maps, -1, 0) if maps.ndim == 3 else [maps]


def _is_image(array: NDArray[Any], maps: bool | None) -> bool:
    """The rule in the docstring of ``visualize``."""
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
    # A tenth of a step leaves room for half precision.
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


# Where to send it


def _draw_panel(
    axes: Any, pixels: colormaps.Pixels, name: str, fontsize: float
) -> None:
    axes.imshow(pixels, origin="upper", aspect="equal")
    axes.set_anchor("N")
    axes.set_axis_off()
    axes.set_title(name, fontsize=fontsize, color="black", pad=3, parse_math=False)


def _writable(path: str | os.PathLike[str]) -> pathlib.Path:
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"`to_file` must be in a folder that exists; received {str(path)!r}."
        )
    return path


def _save(draw: _Draw, size: tuple[float, float], target: Any) -> None:
    # Not made by pyplot, which would remember the figure and choose a backend.
    figure = colormaps.needed("matplotlib.figure").Figure(figsize=size, layout="none")
    draw(figure)
    kind = (getattr(target, "suffix", "") or ".png")[1:]
    figure.savefig(target, format=kind, dpi=_DPI, facecolor="white", transparent=False)


def _show(draw: _Draw, size: tuple[float, float]) -> None:
    if _in_notebook():
        display = importlib.import_module("IPython.display")
        _save(draw, size, buffer := io.BytesIO())
        width = round(size[0] * 72)  # Finer than it is wide, for sharp screens.
        display.display(display.Image(data=buffer.getvalue(), width=width))
    else:
        _show_window(draw, size)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    bases = [base.__name__ for base in type(shell).__mro__]
    return shell is not None and "TerminalInteractiveShell" not in bases


def _show_window(draw: _Draw, size: tuple[float, float]) -> None:
    pyplot = colormaps.needed("matplotlib.pyplot")
    figure = pyplot.figure(figsize=size, layout="none")
    stays = pyplot.isinteractive() and _has_windows(figure)
    try:
        draw(figure)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*non-interactive")
            pyplot.show()
    finally:
        if not stays:  # Else it is closed by who looks at it.
            pyplot.close(figure)


def _has_windows(figure: Any) -> bool:
    return getattr(figure.canvas, "required_interactive_framework", None) is not None
