"""How large is the error of a SmoothGrad map, and which way of sampling reduces it?

    python -m benchmarks.accuracy.sampling_error --data PATH_TO_FOLDER [--photos 2]
        [--reference 4000]

`trained_networks.py` describes the folder. The numbers are squared errors relative to
the squared norm of a reference, means over photos and seeds. The reference has many
repetitions with another seed; its own squared error is subtracted. Every cell of a row
costs n passes through the network:

- independent: independent noise;
- antithetic: pairs of copies, x + e and x - e;
- gain: the error of independent over that of antithetic noise;
- shrunk: `Stats.shrunk` of the first and the second half of independent copies;
- orthogonal, stratified, control: see `variance_reduction.py`.

Each column "estimated" has the error that the method on its left estimates for itself.
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
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
from benchmarks.accuracy.variance_reduction import TECHNIQUES, mean_gradients
from keras_explainable.sampling import wiener_shrinkage

LEVELS = (0.05, 0.1, 0.2)
REPETITIONS = (16, 64)
SEEDS = range(1, 7)
COLUMNS = (
    "independent",
    "estimated",
    "antithetic",
    "estimated",
    "gain",
    "shrunk",
    "estimated",
    *TECHNIQUES,
)


def stats_of(model, x, y, repetitions, **options):
    method = ke.methods.meta.smooth(
        signed_and_absolute_gradients, repetitions, **options
    )
    return ke.explain(method, model, x, y, verbose=0, return_stats=True)[2]


def stats_of_halves(model, x, y, n, **options):
    """Return the stats of the first and of the last n / 2 repetitions."""
    return [stats_of(model, x, y, n // 2, start=s, **options) for s in (0, n // 2)]


def maps_and_squared_errors(stats):
    """Return maps (photos, H, W, 4) of one unit, and their squared standard errors."""
    return stats.maps[..., 0], stats.std_error[..., 0].astype("float64") ** 2


def sum_per_photo(values):
    return values.reshape(len(values), -1).sum(axis=1)


def shrunk(halves, channels):
    """Return shrunken maps of some channels, and their estimated squared errors."""
    maps = [stats.maps[..., channels, :] for stats in halves]
    maps, squared = wiener_shrinkage.shrink(maps, [stats.counts for stats in halves])
    return maps[..., 0], squared[:, 0]


def reduced_variance_maps(technique, model, x, y, *args):
    """Return maps (photos, H, W, 4) from noise drawn in another way."""
    photos = zip(x, y, strict=True)
    return np.stack(
        [mean_gradients(technique, model, image, unit, *args) for image, unit in photos]
    )


def errors(model, x, y, level, n, reference):
    """Return the errors (columns,) of each kind of gradients, means over seeds."""
    rows = [errors_of_seed(model, x, y, level, n, seed, reference) for seed in SEEDS]
    return {
        kind: np.mean([row[kind] for row in rows], axis=(0, 2)) for kind in CHANNELS
    }


def errors_of_seed(model, x, y, level, n, seed, reference):
    """Return the errors (columns, photos) of each kind of gradients."""
    options = {"noise_level": level, "seed": seed}
    halves = stats_of_halves(model, x, y, n, **options)
    antithetic = stats_of(model, x, y, n, antithetic=True, **options)
    others = [
        reduced_variance_maps(technique, model, x, y, level, n, seed)
        for technique in TECHNIQUES
    ]
    return {
        kind: row_of_errors(channels, halves, antithetic, others, reference)
        for kind, channels in CHANNELS.items()
    }


def row_of_errors(channels, halves, antithetic, others, reference):
    """Return the relative squared errors (columns, photos) of some channels."""
    limit, noise = (values[..., channels] for values in reference)
    size = sum_per_photo(limit**2)

    def error(maps):
        return sum_per_photo((maps - limit) ** 2 - noise) / size

    row = []
    for stats in (halves[0].merged(halves[1]), antithetic):
        maps, squared = (x[..., channels] for x in maps_and_squared_errors(stats))
        row += [error(maps), sum_per_photo(squared) / size]
    maps, squared = shrunk(halves, channels)
    row += [error(maps), squared / size]
    return row + [error(maps[..., channels]) for maps in others]


def main():
    args = parse_arguments(__doc__, reference=4000)
    print_setting(args.data, args.photos)
    print(f"{'network':<14}{'level':>6} {'gradient':<9}{'n':>5}", end="")
    print(*(f"{title:>12}" for title in COLUMNS), flush=True)
    for name, model, x, y in networks(args.data, args.photos):
        for level in LEVELS:
            print(f"  {name} {level}", file=sys.stderr, flush=True)
            stats = stats_of(model, x, y, args.reference, noise_level=level, seed=0)
            reference = maps_and_squared_errors(stats)
            for n in REPETITIONS:
                for kind, row in errors(model, x, y, level, n, reference).items():
                    row = [*row[:4], row[0] / row[2], *row[4:]]
                    print(f"{name:<14}{level:6.2f} {kind:<9}{n:5d}", end="")
                    print(*(f"{value:12.4f}" for value in row), flush=True)


if __name__ == "__main__":
    main()
