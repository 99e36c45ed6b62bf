"""Sample scenes with their ground truth: bundled ones, and new ones on demand."""

import pathlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.demo import digits, scenes, small_images

_BUNDLED = pathlib.Path(__file__).with_name("samples.npz")
_SMALL = pathlib.Path(__file__).with_name("small_samples.npz")

#: Returns an image and its mask, given a generator, a glyph and other glyphs.
Draw = Callable[..., tuple[NDArray[np.uint8], NDArray[np.bool_]]]


class Samples(NamedTuple):
    """Scenes with the label and the mask of the digit in each.

    Attributes:
        images: RGB images, uint8 (N, 96, 96, 3); or small grey ones (N, 32, 32, 1).
        labels: The digits, int64 (N,), 0..9.
        masks: bool (N, 96, 96) or (N, 32, 32), True where the digit's ink is.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    masks: NDArray[np.bool_]


def load_samples() -> Samples:
    """Return the twelve bundled scenes, made of digits that were not used in training.

    Returns:
        Twelve ``Samples``, with at least one of every class from 0 to 9.
    """
    return _loaded(_BUNDLED)


def load_small_samples() -> Samples:
    """Return the twelve bundled small images, of digits not used in training.

    Returns:
        Twelve ``Samples`` for ``load_transformer``, with at least one of every class.
    """
    return _loaded(_SMALL)


def _loaded(path: pathlib.Path) -> Samples:
    with np.load(path) as file:
        return Samples(*(file[name] for name in Samples._fields))


def make_samples(count: int, seed: int = 0, held_out: bool = True) -> Samples:
    """Return new scenes, which are determined by the arguments.

    With the same seed, a longer series begins with the shorter one.

    Args:
        count: The number of scenes, at least 1.
        seed: The seed of the series, at least 0.
        held_out: Whether the digits (and the scraps of digits around them) are those
            that were not used in training, rather than those that were.

    Returns:
        ``count`` ``Samples``.

    Raises:
        ImportError: If scikit-learn is not installed.
        TypeError: If ``count`` or ``seed`` is not an integer.
        ValueError: If ``count < 1`` or ``seed < 0``.
    """
    return _made(scenes.draw, count, seed, held_out)


def make_small_samples(count: int, seed: int = 0, held_out: bool = True) -> Samples:
    """Return new small images, as ``make_samples`` returns scenes.

    Each shows a light digit on plain paper with grain, without any clutter.

    Args:
        count: The number of images, at least 1.
        seed: The seed of the series, at least 0.
        held_out: Whether the digits are those that were not used in training, rather
            than those that were.

    Raises:
        ImportError: If scikit-learn is not installed.
        TypeError: If ``count`` or ``seed`` is not an integer.
        ValueError: If ``count < 1`` or ``seed < 0``.
    """
    return _made(small_images.draw, count, seed, held_out)


def _made(draw: Draw, count: int, seed: int, held_out: bool) -> Samples:
    checks.integer("count", count, 1)
    checks.integer("seed", seed, 0)
    glyphs, labels = digits.load_digits(held_out)
    series = (_drawn(draw, (seed, k, held_out), glyphs) for k in range(count))
    chosen, images, masks = (np.stack(column) for column in zip(*series, strict=True))
    return Samples(images, labels[chosen], masks)


def _drawn(
    draw: Draw, entropy: tuple[int, ...], glyphs: NDArray[np.float32]
) -> tuple[int, NDArray[np.uint8], NDArray[np.bool_]]:
    rng = np.random.default_rng(entropy)
    chosen = int(rng.integers(len(glyphs)))
    return chosen, *draw(rng, glyphs[chosen], glyphs)
