"""Colours of maps as filters of SVG, which a page applies to pictures in grey.

A map is kept once, in grey, and shown in any colours: chains of these filters. A signed
map has its zero in middle grey.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting import colormaps

__all__ = ["PALETTES", "filters", "grey"]

#: Colours for what is never negative, by the names that people see.
PALETTES = {
    "inferno": colormaps.SEQUENTIAL,
    "viridis": "viridis",
    "cividis": "cividis",
    "grey": "gray",
}

_STEPS = 33  # between which a browser interpolates

#: Opaque where a map is white, clear where it is black.
_VEIL = """<filter id="veil" color-interpolation-filters="sRGB"><feColorMatrix
 values="1 0 0 0 0 0 1 0 0 0 0 0 1 0 0 1 0 0 0 0"/></filter>"""

#: The same for a signed one: clear where it is zero.
_SIGNED_VEIL = """<filter id="signed-veil" color-interpolation-filters="sRGB">
<feColorMatrix values="1 0 0 0 0 0 1 0 0 0 0 0 1 0 0 1 0 0 0 0"/>
<feComponentTransfer><feFuncA type="table" tableValues="1 0 1"/></feComponentTransfer>
</filter>"""


@functools.cache
def filters() -> str:
    """Return an invisible picture that defines all filters."""
    ramps = {"absolute": np.array([[1.0] * 3, [0.0] * 3, [1.0] * 3])}
    for name, cmap in (PALETTES | {"signed": colormaps.DIVERGING}).items():
        steps = np.linspace(0, 1, _STEPS, dtype="float32")[None]
        ramps[name] = colormaps.colorize(steps, cmap)[0] / 255
    made = "\n".join(_ramp(name, ramp) for name, ramp in ramps.items())
    return f"""<svg class="filters" width="0" height="0" aria-hidden="true">
{_VEIL}
{_SIGNED_VEIL}
{made}
</svg>"""


def grey(map_: NDArray[np.float32], signed: bool) -> NDArray[np.uint8]:
    """Return a map (H, W) in 256 shades of grey; black, or middle grey, is zero."""
    scale = np.abs(map_).max() or 1
    shades = 127.5 * (1 + map_ / scale) if signed else 255 * map_ / scale
    return np.rint(shades).astype("uint8")


def _ramp(name: str, ramp: NDArray[np.float64]) -> str:
    functions = "".join(
        f'<feFunc{channel} type="table" tableValues="'
        f'{" ".join(f"{value:.3g}" for value in ramp[:, number])}"/>'
        for number, channel in enumerate("RGB")
    )
    return (
        f'<filter id="{name}" color-interpolation-filters="sRGB">'
        f"<feComponentTransfer>{functions}</feComponentTransfer></filter>"
    )
