"""Do bfloat16's rounding errors average out over the repetitions?

    python benchmarks/precision.py --data PATH_TO_FOLDER [--photos 2] [--reference 2000]

photos.py says what the folder holds.

Numbers are norms of a difference of maps over the norm of the reference (which has
some noise of its own), mean over the photos: "sampling" is float32 - reference,
"bfloat16" is bfloat16 - reference, and "rounding" bfloat16 - float32, whose noise is
the same. Row "all" is what no repetitions average out, b of rounding^2 = b^2 + v / n,
from the fewest and the most. Row "logits" is the relative difference of the outputs
and whether `explain` accepts it, or takes float32; here it is explained all the same.
"""

import argparse
import os
import sys
import warnings
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from photos import KINDS, describe, networks, signed_and_absolute

import keras_explainable as ke
from keras_explainable.lowering.compare_outputs import TOLERANCES, difference
from keras_explainable.network.output_units import forward

NOISE_LEVEL = 0.15
REPETITIONS = (20, 50, 200)


def smooth_maps(model, x, y, repetitions, seed, **options):
    """Return maps (photos, H, W, 4)."""
    print(f"  {model.name} n={repetitions} {options}", file=sys.stderr, flush=True)
    method = ke.methods.meta.smooth(
        signed_and_absolute, repetitions, noise_level=NOISE_LEVEL, seed=seed
    )
    return ke.explain(method, model, x, y, verbose=0, **options)[1][..., 0]


def relative(difference, reference):
    """Return the ratio of norms, mean over the photos."""
    sizes = (
        np.linalg.norm(a.reshape(len(a), -1), axis=1) for a in (difference, reference)
    )
    return float(np.mean(np.divide(*sizes)))


def errors_of(model, x, y, reference_repetitions):
    """Return for each kind a list of (n, sampling, bfloat16, rounding)."""
    half, options = half_of(model, x)
    reference = smooth_maps(model, x, y, reference_repetitions, seed=0)
    rows = {kind: [] for kind in KINDS}
    for n in REPETITIONS:
        one = smooth_maps(model, x, y, n, seed=1)
        other = smooth_maps(half, x, y, n, seed=1, **options)
        differences = (one - reference, other - reference, other - one)
        for kind, part in KINDS.items():
            found = [relative(d[..., part], reference[..., part]) for d in differences]
            rows[kind].append((n, *found))
    return rows


def half_of(model, x):
    """Return what to explain for bfloat16 maps, and how; print the logits' error."""
    half = ke.lowering.lower(model, "bfloat16")
    off = difference(*(forward(network, x, len(x)) for network in (half, model)))
    accepted = off <= TOLERANCES["bfloat16"]
    taken = "accepts" if accepted else "refuses"
    print(f"{model.name:<14}{'logits':<14}{off:30.4f}  (explain {taken})", flush=True)
    return (model, {"precision": "bfloat16"}) if accepted else (half, {"lower": False})


def never_averaged(rows):
    """Return b of rounding^2 = b^2 + v / n."""
    (few, *_, first), (many, *_, last) = rows[0], rows[-1]
    return max((many * last**2 - few * first**2) / (many - few), 0) ** 0.5


def show(network, errors):
    for kind, rows in errors.items():
        for n, *found in rows:
            print(f"{network:<14}{kind:<9}{n:>5}", *(f"{e:9.4f}" for e in found))
        print(f"{network:<14}{kind:<9}{'all':>5}{never_averaged(rows):30.4f}")


def title(reference):
    print(f"Noise level {NOISE_LEVEL}; reference: float32, {reference} repetitions.\n")
    print(f"{'network':<14}{'gradient':<9}{'n':>5}", end="")
    print(f"{'sampling':>10}{'bfloat16':>10}{'rounding':>10}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=2)
    parser.add_argument("--reference", type=int, default=2000)
    arguments = parser.parse_args()
    warnings.filterwarnings("error", message="The lowered copy")
    describe(arguments.data, arguments.photos)
    title(arguments.reference)
    for name, model, x, units in networks(arguments.data, arguments.photos):
        show(name, errors_of(model, x, units, arguments.reference))


if __name__ == "__main__":
    main()
