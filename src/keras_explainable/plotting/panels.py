"""A panel of a picture: an image, a map, an overlay or a signal, ready to be drawn."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from keras_explainable.plotting import clipping
from keras_explainable.plotting.colormaps import Pixels

#: Largest width of a panel in inches, unless the picture has a given size.
WIDEST = 2.6

#: Kinds of panels, by which the default grid is chosen.
IMAGE, MAP = "i", "m"


class Panel(NamedTuple):
    """A panel.

    Attributes:
        kind: ``IMAGE`` or ``MAP``, which overlays are, too.
        aspect: Height as a multiple of the width.
        draw: Function that draws it into Matplotlib axes.
        clipped: Whether its colours leave out the highest values of the map.
        note: What the picture says of it below all panels.
    """

    kind: str
    aspect: float
    draw: Callable[[Any], None]
    clipped: bool = False
    note: str = ""


class Style(NamedTuple):
    """How panels are drawn, as in ``visualize``."""

    alpha: float = 0.75
    cmap: Any = None
    overlay_cmap: Any = None
    maps: bool | None = None
    percentile: float = clipping.PERCENTILE
    slices: int = 5


def of_pixels(pixels: Pixels, kind: str, clipped: bool = False) -> Panel:
    """Return a panel of pixels (H, W, 3)."""
    aspect = pixels.shape[0] / pixels.shape[1]
    return Panel(kind, aspect, partial(_draw_pixels, pixels), clipped)


def _draw_pixels(pixels: Pixels, axes: Any) -> None:
    axes.imshow(pixels, origin="upper", aspect="equal")
    axes.set_anchor("N")
    axes.set_axis_off()
