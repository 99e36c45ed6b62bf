"""SmoothGrad by samples, by slopes and by both: how far from the limit?

    python benchmarks/slopes.py --data PATH_TO_FOLDER [--photos 20] [--levels 0.1]

photos.py says what the folder holds. Maps of n passes are compared with a reference of
many independent samples, of another seed: the squared error over the squared reference
(what the reference errs by itself is taken off), the cosine, and for the maps as they
are shown (mean size over the channels) SSIM and rank correlation; all are means over
the photos. "says" is the squared error that the estimate tells of itself, "plain" how
many passes samples need for the same error. References are kept in the folder --cache,
so that a run goes on where another ended. compare.py measures the time of a pass
(`--sides "ours, sampled" "ours, slopes" "ours, hybrid" Xplique`).
"""

import argparse
import itertools
import json
import os
import sys
from functools import partial
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from photos import describe, networks
from scipy import ndimage, stats

import keras_explainable as ke
from keras_explainable.methods.gradient import smooth_gradients
from keras_explainable.methods.gradient.plain import SIGNED_GRADIENTS

ESTIMATORS = ("sampled", "slopes", "hybrid")
REPETITIONS = (8, 16, 32, 64, 128, 256, 512)
REAL = ("mobilenet_075", "squeezenet11")
RANDOM = ("EfficientNetB0", "VGG16", "ResNet50V2", "ConvNeXtTiny")
METRICS = ("squared", "cosine", "ssim", "ranks")


def subjects(names, data, photos):
    """Yield name, network, inputs and units: real ones, the demo's, random weights."""
    for name, model, x, y in networks(data, photos):
        if name in names:
            yield name, model, x, y
    if "demo" in names:
        samples = ke.demo.load_samples()
        x = np.asarray(samples.images[:photos], "float32")
        yield "demo", ke.demo.load_model(), x, list(samples.labels[:photos])
    for name in names:
        if name in RANDOM:
            keras.utils.set_random_seed(0)
            model = getattr(keras.applications, name)(weights=None)
            [(_, _, x, y)] = [
                one for one in networks(data, photos) if one[0] == REAL[0]
            ]
            yield name, model, x if name != "ConvNeXtTiny" else 127.5 * (x + 1), y


def reference(cache, name, model, x, y, level, count):
    """Return maps (photos, H, W, C) of many samples, and their squared errors."""
    path = cache / f"{name}-{level:g}-{len(x)}-{count}.npz"
    if not path.exists():
        method = ke.methods.meta.smooth(
            SIGNED_GRADIENTS, count, noise_level=level, seed=100
        )
        found = ke.explain(method, model, x, y, verbose=0, return_stats=True)[2]
        error = found.std_error[..., 0].astype("float64") ** 2
        np.savez(path, maps=found.maps[..., 0], error=_sums(error))
    with np.load(path) as file:
        return file["maps"], file["error"]


def measured(maps, limit, noise):
    """Return the metrics, each (photos,), of maps (photos, H, W, C)."""
    size = _sums(limit**2)
    squared = (_sums((maps - limit) ** 2) - noise) / size
    cosine = _sums(maps * limit) / np.sqrt(_sums(maps**2) * size)
    shown = [np.abs(each).mean(axis=-1) for each in (maps, limit)]
    pairs = [tuple(map(_scaled, pair)) for pair in zip(*shown, strict=True)]
    ssim = [_ssim(*pair) for pair in pairs]
    ranks = [stats.spearmanr(one.ravel(), other.ravel())[0] for one, other in pairs]
    return [squared, cosine, np.array(ssim), np.array(ranks)]


def _sums(values):
    return values.reshape(len(values), -1).sum(axis=1, dtype="float64")


def _scaled(shown):
    return np.clip(shown / np.percentile(shown, 99), 0, 1)


def _ssim(one, other):
    """Return the structural similarity of two pictures in 0..1 (Wang et al., 2004)."""
    blur = partial(ndimage.gaussian_filter, sigma=1.5, truncate=3.5)
    means = blur(one), blur(other)
    spreads = [blur(a * b) - m * n for a, b, m, n in (
        (one, one, means[0], means[0]),
        (other, other, means[1], means[1]),
        (one, other, *means),
    )]  # fmt: skip
    light = (2 * means[0] * means[1] + 1e-4) / (means[0] ** 2 + means[1] ** 2 + 1e-4)
    shape = (2 * spreads[2] + 9e-4) / (spreads[0] + spreads[1] + 9e-4)
    return (light * shape).mean()


def estimates(estimator, n, model, x, y, level, seed):
    """Return maps (photos, H, W, C), and the squared errors that they claim."""
    method = partial(
        smooth_gradients,
        estimator=estimator,
        repetitions=n,
        noise_level=level,
        seed=seed,
    )
    _, maps, found = ke.explain(method, model, x, y, verbose=0, return_stats=True)
    return maps[..., 0], found.relative_error[:, 0] ** 2


def rows(args):
    """Yield a dictionary for each network, sigma, n and estimator."""
    for name, model, x, y in subjects(args.networks, args.data, args.photos):
        for level in args.levels:
            print(f"  {name} {level}", file=sys.stderr, flush=True)
            limit, noise = reference(
                args.cache, name, model, x, y, level, args.reference
            )
            one = args.reference * (noise / _sums(limit**2)).mean()
            for n, estimator in itertools.product(args.repetitions, ESTIMATORS):
                maps, said = estimates(estimator, n, model, x, y, level, seed=1)
                found = np.mean(measured(maps, limit, noise), axis=1).tolist()
                said = (said * _sums(maps**2) / _sums(limit**2)).mean()
                yield {
                    "network": name,
                    "sigma": level,
                    "photos": len(x),
                    "estimator": estimator,
                    "n": n,
                    **dict(zip(METRICS, found, strict=True)),
                    "says": float(said) if np.isfinite(said) else None,
                    "plain": round(one / max(found[0], 1e-9)),
                }


def line(values):
    texts = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in values)
    return f"| {' | '.join(texts)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", default=[*REAL, "demo"])
    parser.add_argument("--levels", nargs="+", type=float, default=[0.1])
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--repetitions", nargs="+", type=int, default=REPETITIONS)
    parser.add_argument("--reference", type=int, default=4000)
    parser.add_argument("--cache", type=Path, default=Path("slopes-cache"))
    parser.add_argument("--save", type=Path, help="write this JSON file")
    args = parser.parse_args()
    args.cache.mkdir(exist_ok=True)
    describe(args.data, args.photos)
    found = []
    for row in rows(args):
        if not found:
            print(line(row), "|---" * len(row) + "|", sep="\n")
        print(line(row.values()), flush=True)
        found.append(row)
        if args.save:
            args.save.write_text("[\n" + ",\n".join(map(json.dumps, found)) + "\n]\n")


if __name__ == "__main__":
    main()
