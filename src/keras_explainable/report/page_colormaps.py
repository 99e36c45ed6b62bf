"""Colour maps as SVG filters, which the page applies to grey images.

The page embeds each map once, in grey, and colours it by chains of these filters. The
zero of a signed map is middle grey.
"""

import functools

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting import colormaps

#: Colour maps for maps without negative values, by their names on the page.
COLORMAPS = {
    "inferno": colormaps.SEQUENTIAL,
    "viridis": "viridis",
    "cividis": "cividis",
    "grey": "gray",
}

_STEPS = 33  # of a colour map; browsers interpolate between them

#: Makes white opaque and black transparent.
_OPACITY = """<filter id="opacity" color-interpolation-filters="sRGB"><feColorMatrix
 values="1 0 0 0 0 0 1 0 0 0 0 0 1 0 0 1 0 0 0 0"/></filter>"""

#: Makes white and black opaque and middle grey, the zero, transparent.
_SIGNED_OPACITY = """<filter id="signed-opacity" color-interpolation-filters="sRGB">
<feColorMatrix values="1 0 0 0 0 0 1 0 0 0 0 0 1 0 0 1 0 0 0 0"/>
<feComponentTransfer><feFuncA type="table" tableValues="1 0 1"/></feComponentTransfer>
</filter>"""


@functools.cache
def filters() -> str:
    """Return an invisible SVG element that defines all filters."""
    ramps = {"absolute": np.array([[1.0] * 3, [0.0] * 3, [1.0] * 3])}
    for name, cmap in (COLORMAPS | {"signed": colormaps.DIVERGING}).items():
        steps = np.linspace(0, 1, _STEPS, dtype="float32")[None]
        ramps[name] = colormaps.colorize(steps, cmap)[0] / 255
    colors = "\n".join(_color_filter(name, ramp) for name, ramp in ramps.items())
    return f"""<svg class="filters" width="0" height="0" aria-hidden="true">
{_OPACITY}
{_SIGNED_OPACITY}
{colors}
</svg>"""


def grey(map_: NDArray[np.float32], signed: bool) -> NDArray[np.uint8]:
    """Return a map (H, W) in grey; zero is black, or middle grey if signed."""
    scale = np.abs(map_).max() or 1
    shades = 127.5 * (1 + map_ / scale) if signed else 255 * map_ / scale
    return np.rint(shades).astype("uint8")


def _color_filter(name: str, ramp: NDArray[np.float64]) -> str:
    functions = "".join(
        f'<feFunc{channel} type="table" tableValues="'
        f'{" ".join(f"{value:.3g}" for value in ramp[:, number])}"/>'
        for number, channel in enumerate("RGB")
    )
    return (
        f'<filter id="{name}" color-interpolation-filters="sRGB">'
        f"<feComponentTransfer>{functions}</feComponentTransfer></filter>"
    )
