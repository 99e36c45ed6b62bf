"""Draws scenes: one handwritten digit on a cluttered, textured canvas.

Every function depends only on its random generator and arrays. A layer is an ink
coverage, float32 (SIZE, SIZE), 0..1; a canvas holds colours, float32 (3, SIZE, SIZE),
0..1. Lengths are in pixels, angles in radians.
"""

import numpy as np
from numpy.typing import NDArray

SIZE = 96  # pixels along each side of a scene

Layer = NDArray[np.float32]
Canvas = NDArray[np.float32]

_X: Layer = np.tile(np.arange(SIZE, dtype="float32"), (SIZE, 1))
_Y: Layer = _X.T.copy()
_MARGIN = 8  # pixels of paper around a glyph of side ``digits.GLYPH_SIZE``
_WAVES = 9  # cosines along each axis; more of them make the noise finer
_COSINES: Layer = np.cos(
    np.pi * (np.arange(SIZE)[:, None] + 0.5) / SIZE * np.arange(_WAVES)
).astype("float32")
_LUMINANCE: NDArray[np.float32] = np.array([0.299, 0.587, 0.114], "float32")


def draw(
    rng: np.random.Generator, glyph: Layer, scraps: NDArray[np.float32]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return a scene (the digit over clutter, with grain) and the digit's mask.

    Args:
        rng: The random generator.
        glyph: The digit's ink coverage, (N, N), of any size N.
        scraps: Other glyphs (M, N, N), which are cut up to serve as distractors.

    Returns:
        The scene, uint8 (SIZE, SIZE, 3), and the mask of the digit's ink, bool
        (SIZE, SIZE).
    """
    canvas = _texture(rng)
    for _ in range(rng.integers(5, 10)):
        canvas = _blend(canvas, _distractor(rng, scraps), _random_colour(rng))
    ink = draw_glyph(rng, glyph, rng.uniform(38, 66))
    canvas = _blend(canvas, ink, _ink_colour(rng, canvas, ink))
    grain = rng.standard_normal(canvas.shape, "float32")
    grain *= rng.uniform(0.01, 0.05)
    levels = np.clip((canvas + grain) * np.float32(255), 0, 255).round()
    return np.moveaxis(levels.astype("uint8"), 0, -1), ink > 0.5


def _blend(canvas: Canvas, layer: Layer, colour: NDArray[np.float32]) -> Canvas:
    return canvas + layer * (colour[:, None, None] - canvas)


def _random_colour(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.uniform(0.05, 0.95, 3).astype("float32")


def _ink_colour(
    rng: np.random.Generator, canvas: Canvas, ink: Layer
) -> NDArray[np.float32]:
    """Return a random colour lighter, or darker, than the canvas beneath the ink."""
    beneath = np.tensordot(_LUMINANCE, canvas[:, ink > 0.5], 1)
    dark, light = np.percentile(beneath, [10, 90])
    contrast = rng.uniform(0.3, 0.6)
    fits = dark > contrast and 1 - light > contrast
    lighter = rng.random() < 0.5 if fits else dark + light < 1
    tint = rng.uniform(-0.25, 0.25, 3)
    tint -= tint @ _LUMINANCE
    luminance = light + contrast if lighter else dark - contrast
    return np.clip(luminance + tint, 0, 1).astype("float32")


# --- Textures ----------------------------------------------------------------


def _noise(rng: np.random.Generator, channels: int) -> NDArray[np.float32]:
    """Return noise (channels, SIZE, SIZE) of low frequencies and variance 1 to 2."""
    order = np.arange(_WAVES)
    weight = 1 / (1 + order[:, None] ** 2 + order**2) ** rng.uniform(0.3, 0.8)
    weight[0, 0] = 0  # the caller sets the mean
    weight /= np.sqrt(np.square(weight).sum()) / 2
    waves = rng.standard_normal((channels, _WAVES, _WAVES)) * weight
    return _COSINES @ waves.astype("float32") @ _COSINES.T


def _texture(rng: np.random.Generator) -> Canvas:
    """Return cloudy colours with stripes in some regions."""
    shade = rng.uniform(0.2, 0.8) + rng.uniform(-0.15, 0.15, (3, 1, 1))
    clouds = _noise(rng, 4) * np.float32(rng.uniform(0.04, 0.12))
    stripes = _stripes(rng) * _step(clouds[3], 0.05)
    tint = rng.uniform(-0.13, 0.13, (3, 1, 1)).astype("float32")
    return shade.astype("float32") + clouds[:3] + stripes * tint


def _stripes(rng: np.random.Generator) -> Layer:
    angle, phase = rng.uniform(0, 2 * np.pi, 2)
    frequency = np.float32(2 * np.pi / rng.uniform(4, 16))
    wave = np.float32(np.cos(angle)) * _X + np.float32(np.sin(angle)) * _Y
    return np.tanh(2 * np.sin(frequency * wave + np.float32(phase)))


# --- Distractors ---------------------------------------------------------------


def _distractor(rng: np.random.Generator, scraps: NDArray[np.float32]) -> Layer:
    kind = rng.integers(4)
    if kind == 3:
        return _scrap(rng, scraps) * np.float32(rng.uniform(0.4, 0.9))
    return (_line, _arc, _blob)[kind](rng) * np.float32(rng.uniform(0.3, 0.9))


def _step(distance: NDArray[np.float32], width: float) -> Layer:
    """Return a ramp from 0 to 1 of ``width`` where ``distance`` crosses 0."""
    return np.clip(distance / np.float32(width) + np.float32(0.5), 0, 1)


def _random_axes(rng: np.random.Generator) -> tuple[Layer, Layer]:
    """Return coordinates with a random origin and orientation."""
    x, y = rng.uniform(0, SIZE, 2).astype("float32")
    angle = np.float32(rng.uniform(0, 2 * np.pi))
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = _X - x, _Y - y
    return cos * u + sin * v, cos * v - sin * u


def _line(rng: np.random.Generator) -> Layer:
    u, v = _random_axes(rng)
    length, width = rng.uniform(12, 60), rng.uniform(0.8, 2.2)
    ends = np.maximum(np.abs(u) - np.float32(length), 0)
    return _step(np.float32(width) - np.sqrt(ends**2 + v**2), 1)


def _arc(rng: np.random.Generator) -> Layer:
    """Return at most a third of a circle, so that it does not look like a zero."""
    u, v = _random_axes(rng)
    radius, width = rng.uniform(8, 40), rng.uniform(0.8, 2.2)
    ring = np.float32(width) - np.abs(np.sqrt(u**2 + v**2) - np.float32(radius))
    slope = np.float32(rng.uniform(0.6, 1.7))  # tangent of half the central angle
    return _step(ring, 1) * _step(slope * u - np.abs(v), 2)


def _blob(rng: np.random.Generator) -> Layer:
    u, v = _random_axes(rng)
    u, v = u / np.float32(rng.uniform(4, 14)), v / np.float32(rng.uniform(3, 7))
    return _step(1 - np.sqrt(u**2 + v**2), 0.3)


def _scrap(rng: np.random.Generator, scraps: NDArray[np.float32]) -> Layer:
    """Return a digit cut into sixteen tiles and shuffled: ink, but not a digit."""
    glyph = scraps[rng.integers(len(scraps))][_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    side = len(glyph) // 4
    tiles = glyph.reshape(4, side, 4, side).swapaxes(1, 2).reshape(16, side, side)
    shuffled = tiles[rng.permutation(16)].reshape(4, 4, side, side)
    scrap = np.pad(shuffled.swapaxes(1, 2).reshape(4 * side, 4 * side), _MARGIN)
    return draw_glyph(rng, scrap, rng.uniform(20, 50))


# --- Handwriting ---------------------------------------------------------------


def draw_glyph(rng: np.random.Generator, glyph: Layer, size: float) -> Layer:
    """Return the ink of a glyph, ``size`` pixels wide, at a random position inside.

    It is slightly rotated, sheared, stretched and distorted, to vary the handwriting.
    """
    room = max(SIZE - 0.8 * size, 0) / 2
    x, y = SIZE / 2 + rng.uniform(-room, room, 2)
    angle, shear = rng.uniform(-0.22, 0.22), rng.uniform(-0.15, 0.15)
    stretch = rng.uniform(0.88, 1.14)
    distortion = _noise(rng, 2) * np.float32(0.012 * size)
    u, v = _X - np.float32(x) + distortion[0], _Y - np.float32(y) + distortion[1]
    scale, middle = len(glyph) / size, np.float32((len(glyph) - 1) / 2)
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, sin], [-sin, cos]])
    shearing = [[stretch, shear], [0, 1 / stretch]]
    (a, b), (c, d) = (scale * rotation @ shearing).astype("float32")
    values = _sample(glyph, middle + a * u + b * v, middle + c * u + d * v)
    return _step(values - np.float32(rng.uniform(0.45, 0.6)), 0.2)


def _sample(glyph: Layer, x: Layer, y: Layer) -> Layer:
    """Return bilinear samples of ``glyph``; outside, of its edge."""
    x, y = (np.clip(at, 0, np.float32(len(glyph) - 1.001)) for at in (x, y))
    left, top = x.astype("int32"), y.astype("int32")
    x, y = x - left, y - top
    corner = top * len(glyph) + left
    flat = glyph.ravel()
    upper = flat[corner] * (1 - x) + flat[corner + 1] * x
    corner += len(glyph)
    lower = flat[corner] * (1 - x) + flat[corner + 1] * x
    return upper * (1 - y) + lower * y
