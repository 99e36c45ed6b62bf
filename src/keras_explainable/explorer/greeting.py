"""What a page is told at first."""

import base64
from typing import Any

import numpy as np

from keras_explainable.explorer.explored_model import ExploredImages
from keras_explainable.explorer.settings import ESTIMATORS, EXPLORED
from keras_explainable.plotting import colormaps
from keras_explainable.report.explanation_records import METHODS
from keras_explainable.sampling.standard_error import STATISTICS

#: Colour maps of the page; signed maps have their own.
COLORMAPS = ("inferno", "viridis", "cividis", "gray")


def greeting(images: ExploredImages, uploads: bool) -> dict[str, Any]:
    """Return what a page needs to begin.

    Args:
        images: The images, with their model.
        uploads: Whether pictures can be added.
    """
    return {
        "kind": "hello",
        "uploads": uploads,
        "model": images.model.name,
        "classes": [*images.model.classes],
        "images": images.names,
        "methods": {name: METHODS[name] for name in EXPLORED},
        "estimators": [*ESTIMATORS],
        "statistics": [*STATISTICS],
        "colormaps": {name: _table(name) for name in (*COLORMAPS, colormaps.DIVERGING)},
    }


def _table(cmap: str) -> str:
    """Return the colours of a colour map, RGB for each of 256 steps, in base64."""
    steps = np.linspace(0, 1, 256, dtype="float32")[None]
    return base64.b64encode(colormaps.colorize(steps, cmap).tobytes()).decode()
