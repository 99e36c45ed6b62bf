"""How far from the limit are the maps, by how the noise is drawn?

    python benchmarks/noise.py --data PATH_TO_FOLDER [--photos 2] [--reference 4000]

photos.py says what the folder holds. Numbers are squared relative errors of maps of n
repetitions: of the difference from a reference of many repetitions with another seed,
over the reference, mean over photos and seeds; what the reference errs by itself is
taken off. All ways of a row cost n passes through the network:

- copies: independent noise; "says" is what its error bars say;
- pairs: antithetic noise, x + e and x - e, and its error bars; "gain" is the error of
  the copies over that of the pairs;
- shrunk: `Stats.shrunk` of the two halves of the copies, and its estimate;
- orthogonal, strata, control: as draws.py says.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from draws import WAYS, map_of
from photos import KINDS, describe, networks, signed_and_absolute

import keras_explainable as ke
from keras_explainable.sampling import wiener_shrinkage

LEVELS = (0.05, 0.1, 0.2)
REPETITIONS = (16, 64)
SEEDS = range(1, 7)
TITLES = ("copies", "says", "pairs", "says", "gain", "shrunk", "says", *WAYS)


def stats_of(model, x, y, repetitions, **options):
    method = ke.methods.meta.smooth(signed_and_absolute, repetitions, **options)
    return ke.explain(method, model, x, y, verbose=0, return_stats=True)[2]


def halves(model, x, y, n, **options):
    """Return the stats of the first and the last n / 2 repetitions."""
    return [stats_of(model, x, y, n // 2, start=s, **options) for s in (0, n // 2)]


def maps_of(stats):
    """Return maps (photos, H, W, 4) of one unit, and their squared standard errors."""
    return stats.maps[..., 0], stats.std_error[..., 0].astype("float64") ** 2


def squares(values):
    """Return the sum over each map (photos,)."""
    return values.reshape(len(values), -1).sum(axis=1)


def shrunk(both, part):
    """Return shrunken maps of some channels, and their errors squared."""
    halves = [stats.maps[..., part, :] for stats in both]
    maps, squared = wiener_shrinkage.shrink(halves, [stats.counts for stats in both])
    return maps[..., 0], squared[:, 0]


def otherwise(way, model, x, y, *args):
    """Return maps (photos, H, W, 4) of noise drawn in another way."""
    pairs = zip(x, y, strict=True)
    return np.stack([map_of(way, model, image, unit, *args) for image, unit in pairs])


def errors(model, x, y, level, n, reference):
    """Return for each kind the squared errors, mean over photos and seeds."""
    limit, noise = reference
    found = {kind: [] for kind in KINDS}
    for seed in SEEDS:
        options = {"noise_level": level, "seed": seed}
        both = halves(model, x, y, n, **options)
        pairs = stats_of(model, x, y, n, antithetic=True, **options)
        others = [otherwise(way, model, x, y, level, n, seed) for way in WAYS]
        for kind, part in KINDS.items():
            size = squares(limit[..., part] ** 2)

            def off(maps, part=part, size=size):
                return squares((maps - limit[..., part]) ** 2 - noise[..., part]) / size

            row = []
            for stats in (both[0].merged(both[1]), pairs):
                maps, says = (values[..., part] for values in maps_of(stats))
                row += [off(maps), squares(says) / size]
            less, says = shrunk(both, part)
            row += [off(less), says / size]
            row += [off(other[..., part]) for other in others]
            found[kind].append(row)
    return {kind: np.mean(rows, axis=(0, 2)) for kind, rows in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--photos", type=int, default=2)
    parser.add_argument("--reference", type=int, default=4000)
    args = parser.parse_args()
    describe(args.data, args.photos)
    print(f"{'network':<14}{'level':>6} {'gradient':<9}{'n':>5}", end="")
    print(*(f"{title:>10}" for title in TITLES), flush=True)
    for name, model, x, y in networks(args.data, args.photos):
        for level in LEVELS:
            print(f"  {name} {level}", file=sys.stderr, flush=True)
            many = stats_of(model, x, y, args.reference, noise_level=level, seed=0)
            for n in REPETITIONS:
                found = errors(model, x, y, level, n, maps_of(many))
                for kind, row in found.items():
                    row = [*row[:4], row[0] / row[2], *row[4:]]
                    print(f"{name:<14}{level:6.2f} {kind:<9}{n:5d}", end="")
                    print(*(f"{value:10.4f}" for value in row), flush=True)


if __name__ == "__main__":
    main()
