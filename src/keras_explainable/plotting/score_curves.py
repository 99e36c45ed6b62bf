"""Mean scores along the removal or insertion of pixels, with bands of their errors."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Curves(NamedTuple):
    """The curves of one metric.

    Attributes:
        title: Title of the panel.
        label: Title of its horizontal axis.
        fractions: Fractions of the pixels (S + 1,).
        means: Mean curve of each method (M, S + 1).
        errors: Their standard errors (M, S + 1), NaN where there are none.
    """

    title: str
    label: str
    fractions: NDArray[Any]
    means: NDArray[Any]
    errors: NDArray[Any]


class Style(NamedTuple):
    """How the curves of a method look."""

    color: str
    dashes: Any


def draw_curves(axes: Any, curves: Curves, styles: list[Style]) -> list[Any]:
    """Draw the curves of one metric, and return their lines."""
    lines = []
    for mean, error, style in zip(curves.means, curves.errors, styles, strict=True):
        lines += axes.plot(
            curves.fractions,
            mean,
            color=style.color,
            linestyle=style.dashes,
            linewidth=1.3,
        )
        if np.isfinite(error).any():
            ends = mean - error, mean + error
            band = {"color": style.color, "alpha": 0.15, "linewidth": 0}
            axes.fill_between(curves.fractions, *ends, **band)
    axes.set_title(curves.title, fontsize=9, parse_math=False)
    axes.set_xlabel(curves.label, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_xlim(0, 1)
    axes.grid(color="0.5", alpha=0.2, linewidth=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return lines
