"""Handwritten digits: those bundled with scikit-learn, enlarged smoothly.

Every fifth digit of ``sklearn.datasets.load_digits`` is held out; training uses only
the others. (Both parts share their writers, whom the data does not identify.)
"""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

GLYPH_SIZE = 48  # pixels along each side of an enlarged digit, including the margin
_MARGIN = 2  # blank pixels added around each 8x8 digit before it is enlarged
_HOLD_OUT_EVERY = 5


class Digits(NamedTuple):
    """Handwritten digits with their labels.

    Attributes:
        glyphs: Ink coverage, float32 (N, 48, 48), about 0 (paper) to 1 (ink).
        labels: The digits, int64 (N,), 0..9.
    """

    glyphs: NDArray[np.float32]
    labels: NDArray[np.int64]


def load_digits(held_out: bool) -> Digits:
    """Return the held-out fifth of the handwritten digits, or the training part.

    Args:
        held_out: True for the digits that were not used in training.

    Returns:
        360 held-out or 1437 training ``Digits``, enlarged to 48x48.

    Raises:
        ImportError: If scikit-learn is not installed.
    """
    glyphs, labels = _enlarged_digits()
    chosen = (np.arange(len(labels)) % _HOLD_OUT_EVERY == 0) == held_out
    return Digits(glyphs[chosen], labels[chosen])


@functools.cache
def _enlarged_digits() -> Digits:
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
    weights = _cubic_weights(padded.shape[-1])
    glyphs = weights @ padded @ weights.T
    return Digits(glyphs.astype("float32"), labels.astype("int64"))


def _cubic_weights(pixels: int) -> NDArray[np.float64]:
    """Return weights (GLYPH_SIZE, pixels) of cubic interpolation (Keys, 1981)."""
    positions = (np.arange(GLYPH_SIZE) + 0.5) * pixels / GLYPH_SIZE - 0.5
    d = np.abs(positions[:, None] - np.arange(pixels))
    near = (1.5 * d - 2.5) * d**2 + 1
    far = ((2.5 - 0.5 * d) * d - 4) * d + 2
    return np.where(d < 1, near, np.where(d < 2, far, 0))
