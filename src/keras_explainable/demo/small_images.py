"""Draws small grey images of one handwritten digit, which the transformer reads."""

import numpy as np
from numpy.typing import NDArray

from keras_explainable.demo import scenes

SIZE = 32  # pixels along each side of an image

Ink = NDArray[np.float32]


def draw_ink(rng: np.random.Generator, glyph: Ink) -> Ink:
    """Return the ink coverage (SIZE, SIZE) of a glyph at a random position and size."""
    ink = scenes.draw_glyph(rng, glyph, rng.uniform(66, 96))
    step = scenes.SIZE // SIZE
    return ink.reshape(SIZE, step, SIZE, step).mean((1, 3))


def grey(rng: np.random.Generator, ink: Ink) -> NDArray[np.uint8]:
    """Return light ink (N, SIZE, SIZE) on darker paper, with grain, as images.

    Returns:
        Images of 0..255, uint8 (N, SIZE, SIZE, 1).
    """
    sides = (len(ink), 1, 1)
    paper, contrast = rng.uniform(0.1, 0.4, sides), rng.uniform(0.35, 0.6, sides)
    grain = rng.standard_normal(ink.shape) * rng.uniform(0, 0.08, sides)
    levels = np.clip((paper + contrast * ink + grain) * 255, 0, 255)
    return levels.round().astype("uint8")[..., None]


def draw(
    rng: np.random.Generator, glyph: Ink, scraps: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return an image (SIZE, SIZE, 1) and the mask (SIZE, SIZE) of the digit's ink.

    There are no distractors, so that ``scraps`` are not used.
    """
    ink = draw_ink(rng, glyph)
    return grey(rng, ink[None])[0], ink > 0.5
