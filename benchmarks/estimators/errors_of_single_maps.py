"""How well does `"hybrid"` know the error of a single map?

    python -m benchmarks.estimators.errors_of_single_maps --data PATH_TO_FOLDER
        [--photos 4] [--pixels 96] [--seeds 3] [--networks demo vit_mha ...]

Each row has the means over photos and seeds for n passes:

- true: the squared error relative to the limit, whose own error is removed: it is the
  product of the differences from two references with independent seeds;
- plain: that of n independent samples;
- worth: the number of samples that have the true error;
- told: the mean of the squared errors that the estimator estimates, over the mean true
  one;
- factor: the median over maps of the factor between both, whichever is larger;
- within 2.5: the share of maps for which the factor is at most 2.5.

`accuracy/trained_networks.py` describes the folder. `vit_ops` and `vit_mha` are the
vision transformer that `build_vit.py` builds there, with the two forms of attention.
References are cached in the folder --cache.
"""

import importlib
import sys
from functools import partial
from pathlib import Path

import numpy as np
from keras import ops

import keras_explainable as ke
from benchmarks.accuracy.trained_networks import correctly_classified, print_setting
from benchmarks.estimators.evaluated_networks import (
    evaluated_networks,
    parser,
    print_and_save,
)
from benchmarks.estimators.map_similarity import sum_per_map
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS

LEVEL, VIT_PIXELS, REFERENCE_SEEDS = 0.1, 84, (1001, 1002)


def transformers(args):
    """Yield the name of each vision transformer, the network, photos and units."""
    sys.path.insert(0, str(args.data))
    for name in set(args.networks) & {"vit_ops", "vit_mha"}:
        images, vit = map(importlib.import_module, ("build_model", "build_vit"))
        labels = correctly_classified(args.data, args.photos)
        files = [args.data / "photos" / row["file"] for row in labels]
        rgb = np.stack([images.load_rgb(file, "mobilenet_075") for file in files])
        size = (VIT_PIXELS, VIT_PIXELS)
        x = ops.image.resize(rgb.astype("float32"), size, antialias=True)
        x = vit.preprocess(ops.convert_to_numpy(x))
        model = vit.build(side=VIT_PIXELS, attention=name.removeprefix("vit_"))
        yield name, model, x, model.predict(x, verbose=0).argmax(axis=-1).tolist()


def stats_of(method, model, x, y):
    options = {"verbose": 0, "return_stats": True, "batch_size": 32}
    return ke.explain(method, model, x, y, **options)[2]


def reference(args, name, model, x, y):
    """Return two maps of many samples, and the squared error of one sample."""
    path = args.cache / f"{name}-{x.shape[1]}-{len(x)}-{args.reference}.npz"
    if not path.exists():
        smooth = partial(
            ke.methods.meta.smooth, SIGNED_GRADIENTS, args.reference, noise_level=LEVEL
        )
        every = [stats_of(smooth(seed=seed), model, x, y) for seed in REFERENCE_SEEDS]
        squares = [sum_per_map(each.std_error[..., 0] ** 2) for each in every]
        maps = np.stack([each.maps[..., 0] for each in every])
        np.savez(path, maps=maps, one=np.mean(squares, axis=0) * args.reference)
    with np.load(path) as file:
        return file["maps"].astype("float64"), file["one"]


def errors(args, network, n):
    """Return true, estimated and plain squared errors, each (seeds, photos)."""
    maps, one = reference(args, *network)
    size, found = sum_per_map(maps[0] * maps[1]), []
    for seed in range(args.seeds):
        method = partial(
            ke.methods.gradient.smooth_gradients,
            estimator="hybrid",
            repetitions=n,
            noise_level=LEVEL,
            seed=seed,
        )
        stats = stats_of(method, *network[1:])
        first, second = stats.maps[..., 0] - maps
        told = stats.relative_error[:, 0] ** 2 * sum_per_map(stats.maps**2)
        found.append([sum_per_map(first * second), told, one / n] / size)
    return np.stack(found, axis=1)


def rows(args):
    """Yield a row for each network and n."""
    for network in (*evaluated_networks(args), *transformers(args)):
        for n in args.repetitions:
            true, told, plain = errors(args, network, n)
            factor = np.exp(np.abs(np.log(told / true)))
            yield {
                "network": network[0],
                "n": n,
                "true": f"{true.mean():.4f}",
                "plain": f"{plain.mean():.4f}",
                "worth": round(n * plain.mean() / true.mean()),
                "told": f"{told.mean() / true.mean():.2f}",
                "factor": f"{np.median(factor):.2f}",
                "within 2.5": f"{(factor <= 2.5).mean():.0%}",
            }


def main():
    options = parser(__doc__.splitlines()[0])
    options.set_defaults(photos=4, pixels=96, repetitions=(16, 64, 256))
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument(
        "--reference", type=int, default=1500, help="samples of each reference"
    )
    options.add_argument("--cache", type=Path, default=Path("reference-cache"))
    args = options.parse_args()
    args.cache.mkdir(exist_ok=True)
    print_setting(args.data, args.photos)
    print_and_save(rows(args), args.save)


if __name__ == "__main__":
    main()
