"""The real handwriting: scikit-learn's bundled digits, smoothly enlarged.

Every fifth digit of ``sklearn.datasets.load_digits`` is held out; training sees
only the others. (The same people wrote both parts: the data names no writers.)
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ENLARGED = 48  # pixels along each side of a glyph, a margin of paper included
_MARGIN = 2  # blank pixels put around each 8x8 digit before it is enlarged
_HOLD_OUT_EVERY = 5


class Digits(NamedTuple):
    """Handwritten digits, as ink coverage, with what they say.

    Attributes:
        glyphs: float32 (N, 48, 48), about 0 (paper) to 1 (ink).
        labels: int64 (N,), 0..9.
    """

    glyphs: NDArray[np.float32]
    labels: NDArray[np.int64]


def load_digits(held_out: bool) -> Digits:
    """Load the held-out fifth of the handwritten digits, or the training part.

    Args:
        held_out: True for the digits the bundled network never saw.

    Returns:
        360 held-out or 1437 training ``Digits``, enlarged to 48x48.

    Raises:
        ImportError: if scikit-learn is not installed.
    """
    everything = _enlarged()
    chosen = (np.arange(len(everything.labels)) % _HOLD_OUT_EVERY == 0) == held_out
    return Digits(everything.glyphs[chosen], everything.labels[chosen])


@functools.cache
def _enlarged() -> Digits:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise ImportError(
            "Making new samples needs scikit-learn: "
            'pip install "keras-explainable[train]".'
        ) from error
    small, labels = datasets.load_digits(return_X_y=True)
    margins = ((0, 0), (_MARGIN, _MARGIN), (_MARGIN, _MARGIN))
    padded = np.pad(small.reshape(-1, 8, 8) / 16, margins)
    weights = _cubic(padded.shape[-1])
    glyphs = weights @ padded @ weights.T
    return Digits(glyphs.astype("float32"), labels.astype("int64"))


def _cubic(pixels: int) -> NDArray[np.float64]:
    """Weights (ENLARGED, pixels) of cubic interpolation (Keys, 1981)."""
    places = (np.arange(ENLARGED) + 0.5) * pixels / ENLARGED - 0.5
    d = np.abs(places[:, None] - np.arange(pixels))
    near = (1.5 * d - 2.5) * d**2 + 1
    far = ((2.5 - 0.5 * d) * d - 4) * d + 2
    return np.where(d < 1, near, np.where(d < 2, far, 0))
