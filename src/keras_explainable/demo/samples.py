"""Sample scenes with their ground truth: shipped ones, and new ones on demand."""

from __future__ import annotations

import pathlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.demo import digits, scenes

_SHIPPED = pathlib.Path(__file__).with_name("samples.npz")


class Samples(NamedTuple):
    """Scenes, what digit each holds, and where its ink is.

    Attributes:
        images: uint8 RGB, (N, 96, 96, 3).
        labels: int64 (N,), 0..9.
        masks: bool (N, 96, 96), True on the digit's ink.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    masks: NDArray[np.bool_]


def load_samples() -> Samples:
    """Load the dozen shipped scenes, made of digits the network never saw.

    Returns:
        Twelve ``Samples``; every class from 0 to 9 is among them.
    """
    with np.load(_SHIPPED) as file:
        return Samples(*(file[name] for name in Samples._fields))


def make_samples(count: int, seed: int = 0, held_out: bool = True) -> Samples:
    """Make new scenes; the same arguments make the same scenes.

    A longer series begins with the shorter one of the same seed.

    Args:
        count: how many scenes, at least 1.
        seed: which series of scenes, at least 0.
        held_out: draw the digits (and the scraps strewn around them) from those
            the network never saw; False draws them from those it learnt from.

    Returns:
        ``count`` ``Samples``.

    Raises:
        ImportError: if scikit-learn is not installed.
        TypeError: if ``count`` or ``seed`` is not an integer.
        ValueError: if ``count < 1`` or ``seed < 0``.
    """
    checks.integer("count", count, 1)
    checks.integer("seed", seed, 0)
    glyphs, labels = digits.load_digits(held_out)
    drawn = [_draw_one((seed, index, held_out), glyphs) for index in range(count)]
    chosen, images, masks = (np.stack(column) for column in zip(*drawn, strict=True))
    return Samples(images, labels[chosen], masks)


def _draw_one(
    entropy: tuple[int, ...], glyphs: NDArray[np.float32]
) -> tuple[int, NDArray[np.uint8], NDArray[np.bool_]]:
    rng = np.random.default_rng(entropy)
    chosen = int(rng.integers(len(glyphs)))
    return chosen, *scenes.draw(rng, glyphs[chosen], glyphs)
