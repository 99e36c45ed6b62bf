"""SmoothGrad by samples, by slopes and by both: how far from the limit?

    python benchmarks/slopes.py --data PATH_TO_FOLDER [--photos 20] [--levels 0.1]
        [--networks demo ...] [--save FILE] [--times --peers PATH_TO_PYTHON]

photos.py says what the folder holds. Maps of n passes are compared with a reference of
many independent samples, of another seed: the squared error over the squared reference
(what the reference errs by itself is taken off), the cosine, and for the maps as they
are shown (mean size over the channels) SSIM and rank correlation; all are means over
the photos. "says" is the squared error that the estimate tells of itself, "plain" how
many passes samples need for the same error. References are kept in the folder --cache,
so that a run goes on where another ended. --pixels makes photos smaller; networks with
random weights see 64 pixels where nothing else is said.

With --times, the time of one image is measured in place of errors, on KERAS_BACKEND,
beside Xplique (`--peers` is the Python that has it); run it with nothing else running.
"""

import argparse
import json
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import compare
import keras
import numpy as np
from keras import ops
from photos import describe, networks
from scipy import ndimage, stats

import keras_explainable as ke
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.slopes import linearized_network
from keras_explainable.methods.slopes.hybrid_estimator import ImageEstimator
from keras_explainable.sampling.accumulator import Accumulator
from keras_explainable.sampling.averaging_loop import looping_method, noisy_copy_source
from keras_explainable.sampling.noise import DEFAULT, Noise, value_ranges
from keras_explainable.sampling.parameters import Sampling

SIDES = ("ours, sampled", "ours, slopes", "ours, hybrid", "Xplique")
REPETITIONS = (8, 16, 32, 64, 128, 256, 512)
REAL = ("mobilenet_075", "squeezenet11")
RANDOM = ("EfficientNetB0", "VGG16", "ResNet50V2", "ConvNeXtTiny")
#: Of these the inputs are in 0..255.
OF_BYTES = ("EfficientNetB0", "ConvNeXtTiny")

#: That go through the network at once.
ROWS = 16

#: The same of small pictures, of which PyTorch takes 64 twice as fast as 16.
SMALL, ROWS_OF_SMALL = 32, 64

METRICS = ("squared", "cosine", "ssim", "ranks")


def subjects(args):
    """Yield name, network, inputs and units: real ones, the demo's, random weights."""
    for name, model, x, y in networks(args.data, args.photos):
        if name == REAL[0]:
            photos, units = x, y  # In -1..1.
        if name in args.networks and args.pixels is None:
            yield name, model, x, y
        elif name in args.networks:
            x = resized(x, args.pixels)
            smaller = keras.models.clone_model(model, keras.Input(x.shape[1:]))
            smaller.set_weights(model.get_weights())
            yield name, smaller, x, y
    if "demo" in args.networks:
        samples = ke.demo.make_samples(args.photos, seed=2)  # None that are bundled.
        x = np.asarray(samples.images, "float32")
        yield "demo", ke.demo.load_model(), x, list(samples.labels)
    for name in RANDOM:
        if name in args.networks:
            x = resized(photos, args.pixels or 64)
            keras.utils.set_random_seed(0)
            family = getattr(keras.applications, name)
            model = family(weights=None, input_shape=x.shape[1:])
            yield name, model, 127.5 * (x + 1) if name in OF_BYTES else x, units


def resized(photos, pixels):
    """Return photos (N, H, W, C) as so many pixels high and wide."""
    small = ops.image.resize(photos, (pixels, pixels), antialias=True)
    return ops.convert_to_numpy(small)


def reference(cache, name, model, x, y, level, count):
    """Return maps (photos, H, W, C) of many samples, and their squared errors."""
    path = cache / f"{name}-{x.shape[1]}-{level:g}-{len(x)}-{count}.npz"
    if not path.exists():
        method = ke.methods.meta.smooth(
            SIGNED_GRADIENTS, count, noise_level=level, seed=100
        )
        found = explained(method, model, x, y)
        error = found.std_error[..., 0].astype("float64") ** 2
        np.savez(path, maps=found.maps[..., 0], error=_sums(error))
    with np.load(path) as file:
        return file["maps"], file["error"]


def explained(method, model, x, y):
    """Return the stats of the maps."""
    rows = ROWS_OF_SMALL if x.shape[1] <= SMALL else None
    given = {"batch_size": rows, "verbose": 0, "return_stats": True}
    return ke.explain(method, model, x, y, **given)[2]


def measured(maps, limit, noise):
    """Return the metrics, each (photos,), of maps (photos, H, W, C)."""
    size = _sums(limit**2) - noise
    squared = (_sums((maps - limit) ** 2) - noise) / size
    cosine = _sums(maps * limit) / np.sqrt(_sums(maps**2) * _sums(limit**2))
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


def sampled(model, x, y, level, repetitions):
    """Yield n, maps of so many samples and the squared errors that they claim."""
    found, done = None, 0
    for n in repetitions:
        method = ke.methods.meta.smooth(
            SIGNED_GRADIENTS, n - done, noise_level=level, seed=1, start=done
        )
        part = explained(method, model, x, y)
        found, done = part if found is None else found.merged(part), n
        said = found.relative_error[:, 0] ** 2 * _sums(found.maps**2)
        yield n, found.maps[..., 0], said


def estimated(model, x, y, level, repetitions):
    """Yield n, maps by slopes and of the blend, and the squared errors of these.

    What ``smooth_gradients`` finds, but of all n in one run of the largest one.
    """
    exposed = linearized_network.exposed_model(ke.inspection.logits_model(model))
    network = ke.lowering.lower(exposed)
    each = [
        list(
            _of_one_photo(network, x[i : i + 1], np.array([[y[i]]]), level, repetitions)
        )
        for i in range(len(x))
    ]
    for n, *parts in zip(repetitions, *each, strict=True):
        yield n, *map(np.concatenate, zip(*parts, strict=True))


def _of_one_photo(network, x, y, level, repetitions):
    found = {}

    @looping_method
    def watch(call, *, few):
        noisy = Noise(DEFAULT, level, antithetic=True)
        sampling = Sampling(few[-1], 1, copies=2)
        sigma = noisy.scales(call.model, call.inputs, value_ranges(call.inputs))
        views = noisy_copy_source(call, noisy, sampling, sigma)
        tally = Accumulator(call.outputs, call.indices, sampling, spread=True)
        hybrid, slopes = (
            ImageEstimator(call, views, sampling, both, 0, tally)
            for both in (True, False)
        )
        for backward, copies in hybrid.chunks():
            hybrid.add(backward, copies)
            if (n := 2 * hybrid.pairs) in few:
                slopes.statistics = keras.tree.map_structure(_whole, hybrid.statistics)
                slopes.counts = hybrid.counts.sum(axis=1, keepdims=True)
                estimates = slopes.estimate(), hybrid.estimate()
                maps = (ops.convert_to_numpy(each.maps)[..., 0] for each in estimates)
                found[n] = [*maps, estimates[1].squared_errors]
        return call.logits, estimates[1].maps

    # By itself what is not the end of a chunk of the largest.
    small = [n for n in repetitions if n <= 2 * ROWS]
    for few in (*([n] for n in small), [n for n in repetitions if n not in small]):
        watch(network, x, y, rows=ROWS, few=few)
    return [found[n] for n in repetitions]


def _whole(groups):
    return ops.convert_to_numpy(groups).sum(axis=0, keepdims=True)


def rows(args):
    """Yield a dictionary for each network, sigma, n and estimator."""
    for name, model, x, y in subjects(args):
        for level in args.levels:
            print(f"  {name} {level}", file=sys.stderr, flush=True)
            limit, noise = reference(
                args.cache, name, model, x, y, level, args.reference
            )
            size = _sums(limit**2) - noise
            one = args.reference * (noise / size).mean()
            given = model, x, y, level, args.repetitions
            both = zip(sampled(*given), estimated(*given), strict=True)
            for (n, plain, said), (_, straight, blend, error) in both:
                for estimator, maps, claim in (
                    ("sampled", plain, said),
                    ("slopes", straight, None),
                    ("hybrid", blend, error),
                ):
                    found = [*map(_mean, measured(maps, limit, noise))]
                    yield {
                        "network": name,
                        "pixels": x.shape[1],
                        "sigma": level,
                        "photos": len(x),
                        "estimator": estimator,
                        "n": n,
                        **dict(zip(METRICS, found, strict=True)),
                        "says": claim if claim is None else _mean(claim / size),
                        "plain": round(one / max(found[0], 1e-9)),
                    }


def _mean(values):
    return float(f"{np.mean(values):.4g}")


def times(args):
    """Yield the milliseconds for one image, of each network, side and n."""
    pythons = {"ours": sys.executable} | ({"peers": args.peers} if args.peers else {})
    with tempfile.TemporaryDirectory() as folder:
        for name, model, x, _ in subjects(args):
            model.save(path := str(Path(folder) / f"{name}.keras"))
            work = {"model": path, "images": 1, "rows": None, "pixels": x.shape[1]}
            work |= {"classes": model.output_shape[-1]}
            for n in args.repetitions:
                timed = work | {"repetitions": n}
                for row in compare.compare(SIDES, pythons, timed, args.rounds):
                    yield {
                        "network": name,
                        "pixels": x.shape[1],
                        "side": row["side"],
                        "n": n,
                        "ms": round(row["ms"] * n, 1),
                        "peak_mib": round(row["peak_mib"]),
                    }


def line(values):
    texts = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in values)
    return f"| {' | '.join(texts)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", default=[*REAL, "demo", *RANDOM])
    parser.add_argument("--levels", nargs="+", type=float, default=[0.05, 0.1, 0.2])
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--repetitions", nargs="+", type=int, default=REPETITIONS)
    parser.add_argument("--reference", type=int, default=4000)
    parser.add_argument("--cache", type=Path, default=Path("slopes-cache"))
    parser.add_argument("--pixels", type=int, help="of the photos")
    parser.add_argument("--times", action="store_true")
    parser.add_argument("--rounds", type=int, default=3, help="of times")
    parser.add_argument("--peers", help="Python with the other packages, for times")
    parser.add_argument("--save", type=Path, help="write this JSON file")
    args = parser.parse_args()
    args.cache.mkdir(exist_ok=True)
    describe(args.data, args.photos)
    found = []
    for row in times(args) if args.times else rows(args):
        if not found:
            print(line(row), "|---" * len(row) + "|", sep="\n")
        print(line(row.values()), flush=True)
        found.append(row)
        if args.save:
            args.save.write_text("[\n" + ",\n".join(map(json.dumps, found)) + "\n]\n")


if __name__ == "__main__":
    main()
