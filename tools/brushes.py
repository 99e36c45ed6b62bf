"""Shapes, shading, textures and backgrounds for ``make_pictures.py``.

Coordinates are in pixels from the upper left corner; colours are RGB, 0..1; a ``Mask``
is a coverage, 0..1. Paths are written as in SVG: ``"x,y x,y x,y"``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFilter

SIZE = 320
FINE = 4  # shapes are drawn enlarged by this factor, then averaged, to smooth edges

Mask = NDArray[np.float64]
Picture = NDArray[np.float64]
Path = str | ArrayLike

Y, X = np.mgrid[:SIZE, :SIZE] + 0.5


# --- Shapes --------------------------------------------------------------------


def points(path: Path) -> NDArray[np.float64]:
    """Return the corners of a path, (N, 2)."""
    if isinstance(path, str):
        path = [pair.split(",") for pair in path.split()]
    return np.asarray(path, float)


def polygon(path: Path) -> Mask:
    """Return a filled polygon."""
    image = Image.new("L", (SIZE * FINE, SIZE * FINE))
    ImageDraw.Draw(image).polygon((points(path) * FINE).ravel().tolist(), fill=255)
    return np.asarray(image.reduce(FINE)) / 255


def box(x: float, y: float, width: float, height: float) -> Mask:
    """Return a rectangle, given its upper left corner."""
    right, bottom = x + width, y + height
    return polygon([(x, y), (right, y), (right, bottom), (x, bottom)])


def line(path: Path, width: float) -> Mask:
    """Return a stroke along a path, with round joins and ends."""
    image = Image.new("L", (SIZE * FINE, SIZE * FINE))
    draw, corners, radius = ImageDraw.Draw(image), points(path) * FINE, width * FINE / 2
    draw.line(corners.ravel().tolist(), fill=255, width=round(width * FINE))
    for x, y in corners:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return np.asarray(image.reduce(FINE)) / 255


def loop(path: Path) -> NDArray[np.float64]:
    """Return a smooth closed path through the given points."""
    p1 = points(path)
    return _spline(np.concatenate([p1[-1:], p1, p1[:2]]))


def bow(path: Path) -> NDArray[np.float64]:
    """Return a smooth open path through the given points."""
    p1 = points(path)
    return np.concatenate([_spline(np.concatenate([p1[:1], p1, p1[-1:]])), p1[-1:]])


def _spline(path: NDArray[np.float64], steps: int = 16) -> NDArray[np.float64]:
    """Return a Catmull-Rom spline from the second point to the last but one."""
    p0, p1, p2, p3 = (path[i : len(path) - 3 + i] for i in range(4))
    t = np.linspace(0, 1, steps, endpoint=False)[:, None, None]
    curvature = 2 * p0 - 5 * p1 + 4 * p2 - p3 + t * (3 * p1 - p0 - 3 * p2 + p3)
    return (p1 + t / 2 * (p2 - p0 + t * curvature)).swapaxes(0, 1).reshape(-1, 2)


def ellipse(x: float, y: float, rx: float, ry: float, turn: float = 0) -> Mask:
    """Return a filled ellipse, rotated clockwise by ``turn`` degrees."""
    return np.clip((1 - distance(x, y, rx, ry, turn)) * min(rx, ry) + 0.5, 0, 1)


def distance(x: float, y: float, rx: float, ry: float, turn: float = 0) -> Mask:
    """Return the distance from a point, scaled to 1 on the ellipse."""
    angle = np.deg2rad(turn)
    u = np.cos(angle) * (X - x) + np.sin(angle) * (Y - y)
    v = np.cos(angle) * (Y - y) - np.sin(angle) * (X - x)
    return np.hypot(u / rx, v / ry)


def soft(mask: Mask, radius: float) -> Mask:
    """Return a blurred mask, for shadows and objects out of focus."""
    image = Image.fromarray((mask * 255).astype("uint8"))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(radius))) / 255


# --- Paint ---------------------------------------------------------------------


def over(picture: Picture, mask: Mask, colour: ArrayLike) -> Picture:
    """Return a picture painted with a colour, or another picture, inside a mask."""
    return picture + mask[..., None] * (np.asarray(colour) - picture)


def between(amount: Mask, first: ArrayLike, second: ArrayLike) -> Picture:
    """Return a mix of two colours: the first for amount 0, the second for 1."""
    blend = np.clip(amount, 0, 1)[..., None]
    return np.asarray(first) + blend * (np.asarray(second) - np.asarray(first))


def lit(colour: ArrayLike, depth: Mask) -> Picture:
    """Return a shaded colour: bright at depth 0, dark at depth 1."""
    return np.asarray(colour) * (1.12 - 0.55 * np.clip(depth, 0, 1))[..., None]


def noise(rng: np.random.Generator, across: float, down: float) -> Mask:
    """Return smooth noise of unit variance with lumps of ``across`` x ``down``."""
    shape = int(SIZE / down) + 3, int(SIZE / across) + 3
    grid = Image.fromarray(rng.standard_normal(shape).astype("float32"))
    window = (1, 1, 1 + SIZE / across, 1 + SIZE / down)
    lumps = np.asarray(grid.resize((SIZE, SIZE), Image.Resampling.BICUBIC, window))
    return lumps / lumps.std()


def cloudy(rng: np.random.Generator, size: float = 80, flat: float = 1) -> Mask:
    """Return noise in octaves, each half as large and half as strong as the last."""
    octaves = [noise(rng, size / k, size / k / flat) / k for k in (1, 2, 4, 8, 16)]
    return np.sum(octaves, 0) / np.std(np.sum(octaves, 0))


# --- Backgrounds ---------------------------------------------------------------


def sky(rng: np.random.Generator, top: ArrayLike, low: ArrayLike) -> Picture:
    """Return a gradient from top to bottom with clouds."""
    clouds = np.clip(cloudy(rng, 110, flat=2.2) * 0.6 - 0.1, 0, 0.85)
    return over(between(Y / SIZE, top, low), clouds, (1, 1, 1))


def thicket(rng: np.random.Generator, dark: ArrayLike, bright: ArrayLike) -> Picture:
    """Return leaves out of focus, with discs of light between them."""
    picture = between(0.5 + 0.28 * cloudy(rng, 60), dark, bright)
    for x, y, r, a in rng.uniform((0, 0, 6, 0.05), (320, 320, 26, 0.25), (26, 4)):
        picture = over(picture, ellipse(x, y, r, r) * a, (1, 1, 0.75))
    return picture


def grass(rng: np.random.Generator) -> Picture:
    """Return blades of grass, seen from a distance."""
    blades = 0.5 + 0.2 * noise(rng, 2.5, 14) + 0.2 * cloudy(rng, 70, flat=2)
    return between(blades, (0.16, 0.36, 0.1), (0.55, 0.72, 0.25))


def wood(rng: np.random.Generator, light: ArrayLike, dark: ArrayLike) -> Picture:
    """Return horizontal wood grain."""
    rings = 0.5 + 0.5 * np.sin(Y / 3 + 3 * noise(rng, 160, 22))
    return between(0.6 * rings + 0.2 * noise(rng, 50, 2) + 0.1, light, dark)


def bricks(rng: np.random.Generator, clay: ArrayLike, mortar: ArrayLike) -> Picture:
    """Return a wall of bricks, 18 x 9 pixels each."""
    course = Y // 9
    joints = np.minimum(Y % 9, (X + course % 2 * 9) % 18) < 1.4
    tones = lit(clay, 0.35 + 0.15 * noise(rng, 14, 9))
    return over(tones, joints * 0.6, mortar)
