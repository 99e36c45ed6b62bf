"""Paint the eight pictures of ``docs/_static/images/singleton``.

Each shows one object on a textured background, drawn from noise and curves with fixed
seeds.

    python tools/make_pictures.py
"""

from __future__ import annotations

import argparse
import pathlib

import numpy as np
from brushes import (
    SIZE,
    Picture,
    X,
    Y,
    between,
    bow,
    box,
    bricks,
    cloudy,
    distance,
    ellipse,
    grass,
    line,
    lit,
    loop,
    noise,
    over,
    points,
    polygon,
    sky,
    soft,
    thicket,
    wood,
)
from PIL import Image

FOLDER = pathlib.Path(__file__).parent.parent / "docs/_static/images/singleton"
WHITE, CREAM, INK = (1, 1, 1), (0.98, 0.96, 0.89), (0.11, 0.06, 0.05)


def balloon(rng: np.random.Generator) -> Picture:
    """A striped hot-air balloon over hills."""
    picture = sky(rng, (0.25, 0.5, 0.85), (0.8, 0.9, 1))
    for height, haze in ((258, 0.6), (280, 1)):
        hill = np.clip(Y - height - 14 * np.sin(X / 47 + height), 0, 1)
        picture = over(picture, hill * haze, grass(rng))
    down = (Y - 118) / 84
    half = 84 * np.where(down < 0, np.sqrt(np.clip(1 - down**2, 0, 1)), np.cos(down))
    across = np.clip((X - 160) / np.maximum(half, 1), -1, 1)
    gore = np.floor(np.arcsin(across) / np.pi * 10 + 0.5).astype(int) % 3
    tones = np.array([(0.88, 0.16, 0.15), (1, 0.8, 0.2), (0.98, 0.45, 0.12)])
    envelope = np.clip(half - abs(X - 160) + 0.5, 0, 1) * (abs(down - 0.16) < 1.16)
    picture = over(picture, envelope, lit(tones[gore], 0.5 + 0.5 * across))
    for x in (-18, -6, 6, 18):
        rope = line([(160 + x, 228), (160 + x * 0.75, 258)], 1.3)
        picture = over(picture, rope, (0.25, 0.18, 0.1))
    weave = 0.5 + 0.5 * np.sin(X * 1.3) * np.sin(Y * 1.6)
    wicker = between(weave, (0.4, 0.24, 0.1), (0.72, 0.5, 0.25))
    return over(picture, polygon("144,256 176,256 172,280 148,280"), wicker)


def boat(rng: np.random.Generator) -> Picture:
    """A sailing boat on a choppy sea."""
    picture = sky(rng, (0.35, 0.6, 0.9), (1, 0.9, 0.75))
    depth = np.clip((Y - 205) / 115, 0, 1)
    waves = 0.45 + 0.2 * noise(rng, 26, 4) + 0.12 * noise(rng, 9, 3) - 0.2 * depth
    sea = between(waves, (0.03, 0.2, 0.4), (0.45, 0.75, 0.85))
    picture = over(picture, np.clip(Y - 205, 0, 1), sea)
    picture = over(picture, line("166,40 166,228", 3.5), (0.35, 0.22, 0.12))
    main = [*bow("171,46 205,110 244,196"), (171, 204)]
    jib = [*bow("160,58 126,130 92,200"), (160, 204)]
    folds = 0.25 + 0.25 * np.sin((X - 160) / 15) + 0.06 * noise(rng, 30, 30)
    picture = over(picture, polygon(main), lit(CREAM, folds))
    picture = over(picture, polygon(jib), lit((0.9, 0.25, 0.2), folds))
    hull = polygon(loop("74,214 160,219 254,208 226,250 165,256 98,249"))
    picture = over(picture, hull, wood(rng, (0.62, 0.34, 0.16), (0.42, 0.2, 0.09)))
    picture = over(picture, line(bow("76,215 160,221 252,210"), 4), CREAM)
    foam = np.clip(ellipse(162, 255, 105, 9) * (0.55 + 0.4 * noise(rng, 12, 4)), 0, 1)
    return over(picture, soft(foam, 1), (0.95, 0.98, 1))


def butterfly(rng: np.random.Generator) -> Picture:
    """An orange butterfly, wings spread, before leaves."""
    picture = thicket(rng, (0.08, 0.25, 0.1), (0.4, 0.62, 0.25))
    fore = points("164,168 190,110 244,72 282,80 272,130 226,170")
    hind = points("164,168 218,172 254,192 252,236 216,262 186,224")
    spots = points("268,92 272,110 260,128 252,84 244,224 232,242 246,204")
    feeler = points("162,120 172,88 192,62")
    for start, side in (((0, 0), (1, 1)), ((SIZE, 0), (-1, 1))):
        for wing in (hind, fore):
            picture = _wing(rng, picture, start + wing * side)
        for x, y in start + spots * side:
            picture = over(picture, ellipse(x, y, 4, 4), CREAM)
        picture = over(picture, line(bow(start + feeler * side), 2.4), INK)
    fur = lit((0.22, 0.15, 0.12), distance(160, 168, 9, 58))
    picture = over(picture, ellipse(160, 168, 9, 58), fur)
    return over(picture, ellipse(160, 112, 9, 10), INK)


def _wing(rng: np.random.Generator, picture: Picture, path: np.ndarray) -> Picture:
    outline = loop(path)
    middle = outline.mean(0)
    picture = over(picture, polygon(outline), INK)
    inner = polygon(middle + 0.86 * (outline - middle))
    near = distance(*middle, 70, 70) + 0.08 * noise(rng, 8, 8)
    picture = over(picture, inner, between(near, (1, 0.68, 0.15), (0.85, 0.3, 0.05)))
    for tip in path[1:]:
        vein = line([path[0], path[0] + 0.93 * (tip - path[0])], 2)
        picture = over(picture, vein * inner, INK)
    return picture


def cup(rng: np.random.Generator) -> Picture:
    """A cup of coffee on a wooden table."""
    row = (Y + 16 * (X // 32 % 2)) % 32 - 16
    dots = np.clip(2 - np.hypot(X % 32 - 16, row) / 2, 0, 1)
    wall = between(dots, (0.62, 0.7, 0.66), (0.8, 0.84, 0.76))
    picture = wall + 0.02 * cloudy(rng)[..., None]
    table = wood(rng, (0.72, 0.5, 0.3), (0.52, 0.33, 0.18))
    picture = over(picture, np.clip(Y - 190, 0, 1), table)
    shadow = 0.6 * soft(ellipse(170, 268, 130, 26), 8)
    picture = over(picture, shadow, (0.15, 0.08, 0.04))
    for ry, y, tone in ((24, 258, 0.86), (22, 254, 0.98)):
        picture = over(picture, ellipse(152, y, 118, ry), (tone, tone, tone * 0.97))
    picture = over(picture, 0.4 * soft(ellipse(152, 254, 62, 12), 4), (0.2, 0.2, 0.25))
    shade = np.clip(abs(X - 125) / 110, 0, 1)
    blue, handle = (0.22, 0.45, 0.8), line(bow("222,132 268,130 272,176 210,202"), 15)
    picture = over(picture, handle, lit(blue, 0.3 + Y / 500))
    left = bow("72,112 80,190 112,246 152,255")
    body = polygon([*left, *((304, 0) + left[::-1] * (-1, 1))])
    picture = over(picture, body, lit(blue, shade))
    band = body * (abs(Y - 165 - 9 * np.cos((X - 152) / 50)) < 7)
    picture = over(picture, band, lit(CREAM, shade))
    picture = over(picture, ellipse(152, 112, 81, 22), (0.85, 0.9, 0.97))
    coffee = between(0.5 + noise(rng, 40, 9) / 3, (0.25, 0.12, 0.05), (0.4, 0.22, 0.1))
    picture = over(picture, ellipse(152, 115, 73, 17), coffee)
    for x in (118, 150, 182):
        wisp = line(bow([(x, 102), (x + 12, 76), (x - 8, 50), (x + 8, 22)]), 7)
        picture = over(picture, 0.5 * soft(wisp, 5), WHITE)
    return picture


def fish(rng: np.random.Generator) -> Picture:
    """An orange fish with white bands, among weeds and bubbles."""
    picture = _seabed(rng)
    orange, ribs = (1, 0.5, 0.08), 0.25 + 0.2 * np.sin(X / 2.5 + Y / 5)
    tail = loop("222,162 258,118 286,112 272,160 288,214 258,204")
    back = loop("112,112 130,82 176,78 214,102 218,130")
    belly = loop("140,208 150,240 178,248 186,206")
    for fin in (tail, back, belly):
        picture = over(picture, line([*fin, fin[0]], 6), INK)
        picture = over(picture, polygon(fin), lit(orange, ribs))
    outline = "44,164 84,116 140,98 200,124 236,160 202,200 140,222 82,208"
    body = polygon(loop(outline))
    scales = 0.1 * np.sin(X / 3.5 + np.sin(Y / 3.5) * 1.5) + (Y - 100) / 140
    picture = over(picture, body, lit(orange, scales))
    for x, width in ((100, 13), (160, 16), (214, 9)):
        reach = abs(X - x - 10 * np.cos((Y - 160) / 36))
        picture = over(picture, body * np.clip(width + 4 - reach, 0, 1), INK)
        band = body * np.clip(width - reach, 0, 1)
        picture = over(picture, band, lit(WHITE, scales))
    flap = loop("134,168 160,160 174,178 158,194")
    picture = over(picture, line([*flap, flap[0]], 5), INK)
    picture = over(picture, polygon(flap), lit(orange, ribs))
    for x, y, r, colour in (
        (78, 148, 11, WHITE),
        (78, 148, 7, INK),
        (76, 145, 2, WHITE),
    ):
        picture = over(picture, ellipse(x, y, r, r), colour)
    return over(picture, line(bow("47,172 56,180 68,180"), 2.5), INK)


def _seabed(rng: np.random.Generator) -> Picture:
    picture = between(Y / SIZE, (0.25, 0.68, 0.82), (0.02, 0.18, 0.38))
    rays = np.clip(noise(rng, 30, 4000) * (1 - Y / 260), 0, 1) * 0.2
    picture = over(picture, rays, (0.9, 1, 0.95)) + 0.025 * cloudy(rng)[..., None]
    sand = between(0.5 + 0.25 * cloudy(rng, 20), (0.6, 0.5, 0.35), (0.85, 0.78, 0.58))
    picture = over(picture, np.clip(Y - 282 - 8 * np.sin(X / 40), 0, 1), sand)
    for x in (22, 40, 58, 268, 288, 304):
        height = np.arange(320, 150 + x % 50, -8)
        weed = line(np.stack([x + 9 * np.sin(height / 22 + x), height], -1), 9)
        picture = over(picture, weed, lit((0.18, 0.55, 0.25), Y / 420))
    for x, y, r in ((40, 120, 8), (28, 92, 5), (46, 66, 10), (34, 34, 6), (200, 48, 5)):
        bubble = ellipse(x, y, r, r) - 0.7 * ellipse(x, y, r - 2, r - 2)
        picture = over(picture, 0.7 * bubble, WHITE)
    return picture


def flower(rng: np.random.Generator) -> Picture:
    """A daisy in the grass."""
    picture = thicket(rng, (0.1, 0.3, 0.08), (0.5, 0.68, 0.25))
    stem = line(bow("162,160 170,240 158,330"), 9)
    picture = over(picture, stem, lit((0.35, 0.6, 0.2), (X - 150) / 40))
    leaf = polygon(loop("166,292 206,250 262,244 226,286"))
    ribs = 0.3 + 0.2 * np.sin(Y / 2 + X / 6)
    picture = over(picture, leaf, lit((0.3, 0.58, 0.2), ribs))
    shadow = 0.35 * soft(ellipse(166, 152, 96, 96), 9)
    picture = over(picture, shadow, (0.05, 0.12, 0.03))
    inwards = 0.75 - np.hypot(X - 160, Y - 142) / 170
    for number in range(30):
        degrees = number * 24 + number // 15 * 12 + rng.uniform(-4, 4)
        turn, reach = np.deg2rad(degrees), 66 - number // 15 * 6
        place = 160 + 62 * np.cos(turn), 142 + 62 * np.sin(turn)
        edge = 0.3 * distance(*place, reach, 13, degrees) ** 4
        petal = ellipse(*place, reach * 0.78, 13, degrees)
        picture = over(picture, petal, lit(WHITE, inwards + edge))
    heart = lit((1, 0.76, 0.1), distance(150, 130, 60, 60))
    picture = over(picture, ellipse(160, 142, 34, 33), heart)
    for number in range(140):  # florets on a spiral, as in a sunflower
        r, turn = 2.75 * np.sqrt(number), number * 2.39996
        floret = ellipse(160 + r * np.cos(turn), 142 + r * np.sin(turn), 1.6, 1.6)
        picture = over(picture, 0.7 * floret, (0.8, 0.45, 0.02))
    return picture


def house(rng: np.random.Generator) -> Picture:
    """A brick house with a red roof on a meadow."""
    picture = sky(rng, (0.4, 0.65, 0.95), (0.9, 0.95, 1))
    field = np.clip(Y - 226 - 8 * np.sin(X / 60), 0, 1)
    picture = over(picture, field, grass(rng))
    leaves = 0.5 + 0.3 * cloudy(rng, 12)
    for x, y, r in ((40, 190, 40), (18, 160, 30), (62, 150, 30), (292, 196, 34)):
        tree = between(leaves, (0.1, 0.3, 0.1), (0.35, 0.55, 0.2))
        picture = over(picture, ellipse(x, y, r, r), tree)
    path = polygon(loop("150,266 172,266 190,292 230,322 120,322 142,292"))
    gravel = between(0.5 + 0.3 * cloudy(rng, 8), (0.6, 0.52, 0.4), (0.8, 0.73, 0.6))
    picture = over(picture, path, gravel)
    picture = over(picture, box(206, 56, 24, 70), (0.55, 0.3, 0.25))
    walls = bricks(rng, (0.92, 0.72, 0.53), (0.95, 0.9, 0.82))
    picture = over(picture, box(80, 140, 164, 128), walls)
    roof = polygon("60,150 108,68 216,68 264,150")
    eaves = 0.35 * soft(np.roll(roof, 8, 0), 4) * (Y > 148)
    picture = over(picture, eaves, (0.2, 0.1, 0.05))
    tiles = 0.35 + 0.025 * (Y % 12) + 0.1 * np.sin(X / 2.2 + Y // 12 * 3)
    picture = over(picture, roof, lit((0.82, 0.22, 0.16), tiles))
    for x in (100, 190):
        picture = over(picture, box(x - 4, 172, 42, 48), CREAM)
        picture = over(picture, box(x, 176, 34, 40), (0.3, 0.5, 0.65))
        cross = np.maximum(box(x, 194, 34, 3), box(x + 15.5, 176, 3, 40))
        picture = over(picture, cross, CREAM)
    planks = 0.2 + 0.15 * (X % 8 < 1.5)
    picture = over(picture, box(144, 194, 34, 74), lit((0.2, 0.42, 0.35), planks))
    return over(picture, ellipse(171, 234, 2.5, 2.5), (1, 0.85, 0.3))


def mushroom(rng: np.random.Generator) -> Picture:
    """A red mushroom with white spots on the forest floor."""
    picture = thicket(rng, (0.05, 0.12, 0.06), (0.35, 0.42, 0.18))
    litter = 0.5 + 0.3 * cloudy(rng, 24, flat=1.5)
    floor = between(litter, (0.2, 0.12, 0.05), (0.5, 0.36, 0.18))
    picture = over(picture, np.clip((Y - 256) / 6, 0, 1), floor)
    picture = over(picture, 0.6 * soft(ellipse(166, 286, 80, 12), 6), INK)
    left = bow("140,150 136,220 118,278 161,292")
    stalk = polygon([*left, *((322, 0) + left[::-1] * (-1, 1))])
    fibres = (X - 115) / 110 + 0.08 * noise(rng, 3, 60)
    picture = over(picture, stalk, lit(CREAM, fibres))
    collar = polygon(loop("130,184 161,176 192,184 204,206 161,214 118,206"))
    picture = over(picture, collar, lit(CREAM, fibres + (Y - 176) / 90))
    gills = lit((0.9, 0.85, 0.7), 0.4 + 0.3 * np.sin((X - 161) / 1.8))
    picture = over(picture, ellipse(161, 156, 98, 20), gills)
    crown = bow("54,154 78,92 161,46 244,92 268,154")
    cap = polygon([*crown, *bow("268,154 220,160 161,163 102,160 54,154")])
    gloss = distance(118, 78, 180, 150)
    picture = over(picture, cap, lit((0.86, 0.1, 0.07), gloss))
    for x, y in points("120,84 170,66 212,98 160,114 98,128 206,140 244,134 140,148"):
        size = 15 - abs(x - 160) / 14
        spot = ellipse(x, y, size, size * 0.75, (x - 160) / 3) * cap
        picture = over(picture, spot, lit(CREAM, gloss))
    for x, lean, height in rng.uniform((0, -22, 20), (320, 22, 62), (90, 3)):
        blade = polygon([(x - 3, 320), (x + lean, 318 - height), (x + 3, 320)])
        picture = over(picture, blade, (0.2 + height / 300, 0.35 + height / 250, 0.12))
    return picture


PICTURES = (balloon, boat, butterfly, cup, fish, flower, house, mushroom)


def main() -> None:
    """Paint all the pictures into a folder."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    help_text = "folder to write to (%(default)s)"
    parser.add_argument("--out", type=pathlib.Path, default=FOLDER, help=help_text)
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    for number, paint in enumerate(PICTURES):
        rng = np.random.default_rng(number)
        grain = 0.02 * rng.standard_normal((SIZE, SIZE, 1))
        levels = (np.clip(paint(rng) + grain, 0, 1) * 255).astype("uint8")
        Image.fromarray(levels).save(folder / f"{paint.__name__}.jpg", quality=90)


if __name__ == "__main__":
    main()
