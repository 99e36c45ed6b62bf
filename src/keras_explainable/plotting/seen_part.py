"""Puts a map back on a picture of which a network saw only a part."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common.optional_packages import require

Floats = NDArray[np.float32]

_NEGLIGIBLE = 0.005  # Fraction of a picture that may be unseen without a word.


class SeenPart(NamedTuple):
    """The rectangle that fills the input of a network, in fractions of a picture.

    (0, 0, 1, 1) is the whole picture. A crop lies inside of it; padding extends it
    beyond the picture, for example from -0.25 to 1.25.
    """

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0

    @property
    def fraction(self) -> float:
        """The fraction of the picture that was seen."""
        across = min(self.right, 1.0) - max(self.left, 0.0)
        down = min(self.bottom, 1.0) - max(self.top, 0.0)
        return max(across, 0.0) * max(down, 0.0)

    @property
    def is_whole(self) -> bool:
        """Whether the whole picture was seen, but for a negligible edge."""
        return self.fraction > 1 - _NEGLIGIBLE

    def pixels(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """Return the rows and columns of a picture (H, W) that were seen."""
        height, width = size
        return (
            _seen(self.top, self.bottom, height),
            _seen(self.left, self.right, width),
        )


#: The whole picture.
WHOLE = SeenPart()


def put_back(map_: Floats, part: SeenPart, size: tuple[int, int]) -> Floats:
    """Return a map of a network's input as one of the picture.

    Args:
        map_: A map (h, w) of the input.
        part: The part of the picture that filled the input.
        size: Height and width of the picture.

    Returns:
        float32 (H, W); NaN where the network saw nothing.
    """
    rows, columns = part.pixels(size)
    top, bottom = _source(rows, size[0], part.top, part.bottom, map_.shape[0])
    left, right = _source(columns, size[1], part.left, part.right, map_.shape[1])
    pil = require("PIL.Image")
    seen = pil.fromarray(map_.astype("float32")).resize(
        (columns.stop - columns.start, rows.stop - rows.start),
        pil.Resampling.BILINEAR,
        box=(left, top, right, bottom),
    )
    placed = np.full(size, np.nan, "float32")
    placed[rows, columns] = seen
    return placed


def _seen(low: float, high: float, count: int) -> slice:
    """Return the pixels, at least one, whose centres lie between two fractions."""
    start = min(max(math.ceil(low * count - 0.5), 0), count - 1)
    return slice(start, max(min(math.ceil(high * count - 0.5), count), start + 1))


def _source(
    pixels: slice, count: int, low: float, high: float, cells: int
) -> tuple[float, float]:
    """Return where the edges of pixels lie on a map, in cells of the map."""
    edges = ((edge / count - low) / (high - low) * cells for edge in _ends(pixels))
    start, stop = (min(max(edge, 0.0), float(cells)) for edge in edges)
    return start, stop


def _ends(pixels: slice) -> tuple[int, int]:
    return pixels.start, pixels.stop
