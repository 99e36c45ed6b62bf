"""Do the rounding errors of bfloat16 average out over the repetitions?

    python -m benchmarks.accuracy.bfloat16_error --data PATH_TO_FOLDER [--photos 2]
        [--reference 2000]

`trained_networks.py` describes the folder. Each number is the norm of a difference of
two maps over the norm of the reference (which has some noise itself), the mean over the
photos:

- sampling: float32 minus the reference;
- bfloat16: bfloat16 minus the reference;
- rounding: bfloat16 minus float32, with the same noise.

The row "all" has b of rounding^2 = b^2 + v / n, from the smallest and the largest n:
the part of the rounding error that no number of repetitions averages out. The row
"logits" has the relative difference of the outputs, and says whether `explain` accepts
bfloat16 or falls back to float32; the maps compared here are bfloat16 in either case.
"""

import os
import sys
import warnings

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import keras_explainable as ke
from benchmarks.accuracy.trained_networks import (
    CHANNELS,
    networks,
    parse_arguments,
    print_setting,
    signed_and_absolute_gradients,
)
from keras_explainable.lowering.compare_outputs import TOLERANCES, difference
from keras_explainable.network.output_units import forward

NOISE_LEVEL = 0.15
REPETITIONS = (20, 50, 200)


def smooth_maps(model, x, y, repetitions, seed, **options):
    """Return maps (photos, H, W, 4)."""
    print(f"  {model.name} n={repetitions} {options}", file=sys.stderr, flush=True)
    method = ke.methods.meta.smooth(
        signed_and_absolute_gradients, repetitions, noise_level=NOISE_LEVEL, seed=seed
    )
    return ke.explain(method, model, x, y, verbose=0, **options)[1][..., 0]


def relative_error(difference, reference):
    """Return the ratio of the norms, the mean over the photos."""
    norms = (
        np.linalg.norm(a.reshape(len(a), -1), axis=1) for a in (difference, reference)
    )
    return float(np.mean(np.divide(*norms)))


def errors_of(model, x, y, reference_repetitions):
    """Return a list of (n, sampling, bfloat16, rounding) for each kind of gradients."""
    lowered, options = bfloat16_model(model, x)
    reference = smooth_maps(model, x, y, reference_repetitions, seed=0)
    rows = {kind: [] for kind in CHANNELS}
    for n in REPETITIONS:
        full = smooth_maps(model, x, y, n, seed=1)
        half = smooth_maps(lowered, x, y, n, seed=1, **options)
        differences = (full - reference, half - reference, half - full)
        for kind, channels in CHANNELS.items():
            errors = [
                relative_error(each[..., channels], reference[..., channels])
                for each in differences
            ]
            rows[kind].append((n, *errors))
    return rows


def bfloat16_model(model, x):
    """Return the model and the options that give bfloat16 maps; print "logits"."""
    lowered = ke.lowering.lower(model, "bfloat16")
    error = difference(*(forward(each, x, len(x)) for each in (lowered, model)))
    accepted = error <= TOLERANCES["bfloat16"]
    verdict = "accepts" if accepted else "refuses"
    print(
        f"{model.name:<14}{'logits':<14}{error:30.4f}  (explain {verdict})", flush=True
    )
    return (
        (model, {"precision": "bfloat16"}) if accepted else (lowered, {"lower": False})
    )


def persistent_error(rows):
    """Return b of rounding^2 = b^2 + v / n."""
    (few, *_, first), (many, *_, last) = rows[0], rows[-1]
    return max((many * last**2 - few * first**2) / (many - few), 0) ** 0.5


def print_errors(network, errors):
    for kind, rows in errors.items():
        for n, *values in rows:
            print(f"{network:<14}{kind:<9}{n:>5}", *(f"{e:9.4f}" for e in values))
        print(f"{network:<14}{kind:<9}{'all':>5}{persistent_error(rows):30.4f}")


def print_title(reference):
    print(f"Noise level {NOISE_LEVEL}; reference: float32, {reference} repetitions.\n")
    print(f"{'network':<14}{'gradient':<9}{'n':>5}", end="")
    print(f"{'sampling':>10}{'bfloat16':>10}{'rounding':>10}", flush=True)


def main():
    args = parse_arguments(__doc__, reference=2000)
    warnings.filterwarnings("error", message="The lowered copy")
    print_setting(args.data, args.photos)
    print_title(args.reference)
    for name, model, x, units in networks(args.data, args.photos):
        print_errors(name, errors_of(model, x, units, args.reference))


if __name__ == "__main__":
    main()
