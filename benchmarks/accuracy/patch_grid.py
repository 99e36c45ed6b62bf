"""Do the gradients of a vision transformer repeat a pattern in every patch?

    python -m benchmarks.accuracy.patch_grid --data FOLDER [--photos 4]

The energy of a map at the multiples of the frequency of the patches is divided by the
mean energy at the frequencies around them: 1 means that there is no pattern. The folder
contains `build_vit.py` with the functions `build` and `preprocess`, and photos. The
table is printed as Markdown: the mean over the photos, and the lowest and highest.
"""

import argparse
import importlib
import sys
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import keras_explainable as ke
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS

SIDE, PATCH, UNIT = 112, 14, 0

SAMPLING = {"repetitions": 64, "noise_level": 0.15, "seed": 0}

#: Distances in pixels by which images are moved.
SHIFTS = (4, 7, 11)

#: Methods of signed gradients (B, SIDE, SIDE, 3, K), by the name in the table.
METHODS = {
    "gradients": SIGNED_GRADIENTS,
    '`"sampled"`, 64 copies': ke.methods.meta.smooth(SIGNED_GRADIENTS, **SAMPLING),
    '`"hybrid"`, 64 copies': partial(
        ke.methods.gradient.smooth_gradients, estimator="hybrid", **SAMPLING
    ),
    "gradients, 16 shifts": ke.methods.meta.tta(
        SIGNED_GRADIENTS, scales=(), hflip=False, shifts=SHIFTS
    ),
}


def transformer_and_photos(folder, count):
    """Return the network, and photos as it takes them (B, SIDE, SIDE, 3)."""
    sys.path.insert(0, str(folder))
    data = importlib.import_module("build_vit")
    files = sorted((folder / "photos").iterdir())[:count]
    pictures = [Image.open(path).convert("RGB").resize((SIDE, SIDE)) for path in files]
    return data.build(SIDE), data.preprocess(np.stack([*map(np.asarray, pictures)]))


def signed_maps(model, photos, method):
    """Return the signed maps (B, SIDE, SIDE, 3) of one unit."""
    options = {"postprocessing": None, "verbose": 0}
    y = [UNIT] * len(photos)
    return ke.explain(method, model, photos, y, **options)[1][..., 0]


def energy_ratio(picture):
    """Return the energy of (SIDE, SIDE) at the patches' frequencies over that around.

    The frequencies are the multiples of SIDE / PATCH along both axes, but not 0.
    """
    energy = np.abs(np.fft.fft2(picture)) ** 2
    step = SIDE // PATCH
    multiples = range(0, SIDE, step)
    points = [(a, b) for a in multiples for b in multiples if a or b]
    near = [(a, b) for a in range(-2, 3) for b in range(-2, 3) if a or b]
    at = np.mean([energy[point] for point in points])
    around = [
        energy[(a + i) % SIDE, (b + j) % SIDE] for a, b in points for i, j in near
    ]
    return at / np.mean(around)


def cell(ratios):
    return f"{np.mean(ratios):.2g} ({min(ratios):.1f} to {max(ratios):.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=4)
    arguments = parser.parse_args()
    model, photos = transformer_and_photos(arguments.data, arguments.photos)
    print("| | signed gradients | mean of absolute values over the channels |")
    print("|---|---|---|")
    for name, method in METHODS.items():
        maps = signed_maps(model, photos, method)
        signed = [
            np.mean([energy_ratio(each[..., c]) for c in range(3)]) for each in maps
        ]
        absolute = [energy_ratio(np.abs(each).mean(axis=-1)) for each in maps]
        print(f"| {name} | {cell(signed)} | {cell(absolute)} |", flush=True)


if __name__ == "__main__":
    main()
