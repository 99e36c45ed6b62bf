"""Brushes and grounds for ``make_pictures.py``: shapes, light, textures.

Coordinates are pixels from the upper left corner, colours RGB from 0 to 1,
coverages (``Mask``) from 0 to 1. Paths are written as in SVG: ``"x,y x,y x,y"``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = 320
FINE = 4  # shapes are drawn this much larger, then averaged: smooth edges

Mask = NDArray[np.float64]
Picture = NDArray[np.float64]
Path = str | ArrayLike

Y, X = np.mgrid[:SIZE, :SIZE] + 0.5


# --- Shapes --------------------------------------------------------------------


def points(path: Path) -> NDArray[np.float64]:
    """Corners of a path, (N, 2)."""
    if isinstance(path, str):
        path = [pair.split(",") for pair in path.split()]
    return np.asarray(path, float)


def polygon(path: Path) -> Mask:
    """Straight-edged filled shape."""
    image = Image.new("L", (SIZE * FINE, SIZE * FINE))
    ImageDraw.Draw(image).polygon((points(path) * FINE).ravel().tolist(), fill=255)
    return np.asarray(image.reduce(FINE)) / 255


def box(x: float, y: float, width: float, height: float) -> Mask:
    """Upright rectangle, by its upper left corner."""
    right, bottom = x + width, y + height
    return polygon([(x, y), (right, y), (right, bottom), (x, bottom)])


def line(path: Path, width: float) -> Mask:
    """Stroke along a path, round where it turns and ends."""
    image = Image.new("L", (SIZE * FINE, SIZE * FINE))
    draw, corners, radius = ImageDraw.Draw(image), points(path) * FINE, width * FINE / 2
    draw.line(corners.ravel().tolist(), fill=255, width=round(width * FINE))
    for x, y in corners:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(FINE)) / 255


def loop(path: Path) -> NDArray[np.float64]:
    """Smooth closed path through the given points."""
    p1 = points(path)
    return _spline(np.concatenate([p1[-1:], p1, p1[:2]]))


def bow(path: Path) -> NDArray[np.float64]:
    """Smooth open path through the given points."""
    p1 = points(path)
    return np.concatenate([_spline(np.concatenate([p1[:1], p1, p1[-1:]])), p1[-1:]])


def _spline(path: NDArray[np.float64], steps: int = 16) -> NDArray[np.float64]:
    """Catmull-Rom spline; it leaves out the first point and the last two."""
    p0, p1, p2, p3 = (path[i : len(path) - 3 + i] for i in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    nonlinearity = 2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * p1 - p0 - 3 * p2 + p3)
    return (p1 + t / 2 * (p2 - p0 + t * nonlinearity)).swapaxes(0, 1).reshape(-1, 2)


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0) -> Mask:
    """Filled ellipse, turned clockwise by degrees."""
    return np.clip((1 - distance(x, y, rx, ry, turn)) * min(rx, ry) + 0.5, 0, 1)


def distance(x: float, y: float, rx: float, ry: float, turn: float = 0) -> Mask:
    """Distance from a point, 1 on the ellipse."""
    angle = np.deg2rad(turn)
    u = np.cos(angle) * (X - x) + np.sin(angle) * (Y - y)
    v = np.cos(angle) * (Y - y) - np.sin(angle) * (X - x)
    return np.hypot(u / rx, v / ry)


def soft(mask: Mask, radius: float) -> Mask:
    """Blur: shadows, and what is out of focus."""
    image = Image.fromarray((mask * 255).astype("uint8"))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius))) / 255


# --- Paint ---------------------------------------------------------------------


def over(picture: Picture, mask: Mask, colour: ArrayLike) -> Picture:
    """Paint one colour, or a picture of colours, where the mask says."""
    return picture + mask[..., None] * (np.asarray(colour) - picture)


def between(amount: Mask, first: ArrayLike, second: ArrayLike) -> Picture:
    """Mix two colours: the first where the amount is 0, the second where 1."""
    blend = np.clip(amount, 0, 1)[..., None]
    return np.asarray(first) + blend * (np.asarray(second) - np.asarray(first))


def lit(colour: ArrayLike, depth: Mask) -> Picture:
    """A colour in the light at depth 0, in the shade at depth 1."""
    return np.asarray(colour) * (1.12 - 0.55 * np.clip(depth, 0, 1))[..., None]


def noise(rng: np.random.Generator, across: float, down: float) -> Mask:
    """Smooth noise of unit variance; its lumps measure ``across`` x ``down``."""
    shape = int(SIZE / down) + 3, int(SIZE / across) + 3
    grid = Image.fromarray(rng.standard_normal(shape).astype("float32"))
    window = (1, 1, 1 + SIZE / across, 1 + SIZE / down)
    lumps = np.asarray(grid.resize((SIZE, SIZE), Image.Resampling.BICUBIC, window))
    return lumps / lumps.std()


def cloudy(rng: np.random.Generator, size: float = 80, flat: float = 1) -> Mask:
    """Noise of many sizes, each half as large and half as strong."""
    octaves = [noise(rng, size / k, size / k / flat) / k for k in (1, 2, 4, 8, 16)]
    return np.sum(octaves, 0) / np.std(np.sum(octaves, 0))


# --- Grounds -------------------------------------------------------------------


def sky(rng: np.random.Generator, top: ArrayLike, low: ArrayLike) -> Picture:
    """One blue above, another below, with clouds."""
    clouds = np.clip(cloudy(rng, 110, flat=2.2) * 0.6 - 0.1, 0, 0.85)
    return over(between(Y / SIZE, top, low), clouds, (1, 1, 1))


def thicket(rng: np.random.Generator, dark: ArrayLike, bright: ArrayLike) -> Picture:
    """Leaves out of focus, with discs of light between them."""
    picture = between(0.5 + 0.28 * cloudy(rng, 60), dark, bright)
    for x, y, r, a in rng.uniform((0, 0, 6, 0.05), (320, 320, 26, 0.25), (26, 4)):
        picture = over(picture, ellipse(x, y, r, r) * a, (1, 1, 0.75))
    return picture


def grass(rng: np.random.Generator) -> Picture:
    """Blades of grass, seen from afar."""
    blades = 0.5 + 0.2 * noise(rng, 2.5, 14) + 0.2 * cloudy(rng, 70, flat=2)
    return between(blades, (0.16, 0.36, 0.1), (0.55, 0.72, 0.25))


def wood(rng: np.random.Generator, light: ArrayLike, dark: ArrayLike) -> Picture:
    """The grain of wood, running across."""
    rings = 0.5 + 0.5 * np.sin(Y / 3 + 3 * noise(rng, 160, 22))
    return between(0.6 * rings + 0.2 * noise(rng, 50, 2) + 0.1, light, dark)


def bricks(rng: np.random.Generator, clay: ArrayLike, mortar: ArrayLike) -> Picture:
    """A wall of bricks, 18 x 9 pixels each."""
    course = Y // 9
    joints = np.minimum(Y % 9, (X + course % 2 * 9) % 18) < 1.4
    tones = lit(clay, 0.35 + 0.15 * noise(rng, 14, 9))
    return over(tones, joints * 0.6, mortar)
