"""How large is the error of each estimator of SmoothGrad after n passes?

    python -m benchmarks.estimators.estimator_errors --data PATH_TO_FOLDER
        [--photos 20] [--levels 0.1] [--networks demo ...] [--save FILE]

`accuracy/trained_networks.py` describes the folder. Each row has the metrics of
`map_similarity.py` for maps of n passes, the means over the photos. The reference is
a map of many independent samples with another seed. Further columns:

- says: the squared error that the estimator estimates for itself;
- plain: the number of passes with which plain sampling has the same squared error.

References are cached in the folder --cache, so that an interrupted run need not compute
them again. --pixels resizes the photos; networks with random weights get 64 pixels by
default.
"""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import ops

import keras_explainable as ke
from benchmarks.accuracy.trained_networks import print_setting
from benchmarks.estimators.evaluated_networks import (
    evaluated_networks,
    parser,
    print_and_save,
)
from benchmarks.estimators.map_similarity import METRICS, similarity, sum_per_map
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.slopes import linearized_network
from keras_explainable.methods.slopes.hybrid_estimator import ImageEstimator
from keras_explainable.sampling.accumulator import Accumulator
from keras_explainable.sampling.averaging_loop import looping_method, noisy_copy_source
from keras_explainable.sampling.noise import DEFAULT, Noise, value_ranges
from keras_explainable.sampling.parameters import Sampling

#: Rows per step of the estimators.
ROWS = 16

#: Rows per step for small images, of which PyTorch takes 64 twice as fast as 16.
SMALL_PIXELS, ROWS_OF_SMALL = 32, 64


@dataclass(frozen=True)
class Reference:
    """Maps of many samples, and what they say about the error of one.

    Attributes:
        maps: Mean gradients, shape (photos, H, W, C).
        error: Estimated squared errors of the maps, shape (photos,).
        count: Number of samples.
    """

    maps: np.ndarray
    error: np.ndarray
    count: int

    @property
    def size(self):
        """Squared norms of the maps without error, shape (photos,)."""
        return sum_per_map(self.maps**2) - self.error

    def samples_for(self, squared_error):
        """Return how many samples have this relative squared error."""
        one = self.count * (self.error / self.size).mean()
        return round(one / max(squared_error, 1e-9))


def load_or_compute_reference(cache, name, model, x, y, level, count):
    path = cache / f"{name}-{x.shape[1]}-{level:g}-{len(x)}-{count}.npz"
    if not path.exists():
        method = ke.methods.meta.smooth(
            SIGNED_GRADIENTS, count, noise_level=level, seed=100
        )
        stats = stats_of(method, model, x, y)
        error = stats.std_error[..., 0].astype("float64") ** 2
        np.savez(path, maps=stats.maps[..., 0], error=sum_per_map(error))
    with np.load(path) as file:
        return Reference(file["maps"], file["error"], count)


def stats_of(method, model, x, y):
    rows = ROWS_OF_SMALL if x.shape[1] <= SMALL_PIXELS else None
    options = {"batch_size": rows, "verbose": 0, "return_stats": True}
    return ke.explain(method, model, x, y, **options)[2]


def sampled(model, x, y, level, repetitions):
    """Yield n, the maps of n samples, and the squared errors that they estimate."""
    stats, done = None, 0
    for n in repetitions:
        method = ke.methods.meta.smooth(
            SIGNED_GRADIENTS, n - done, noise_level=level, seed=1, start=done
        )
        new = stats_of(method, model, x, y)
        stats, done = new if stats is None else stats.merged(new), n
        squared = stats.relative_error[:, 0] ** 2 * sum_per_map(stats.maps**2)
        yield n, stats.maps[..., 0], squared


def estimated(model, x, y, level, repetitions):
    """Yield n, the maps by slopes, the hybrid maps, and the squared errors of these.

    ``smooth_gradients`` returns the same maps, but needs a run for each n.
    """
    exposed = linearized_network.exposed_model(ke.inspection.logits_model(model))
    network = ke.lowering.lower(exposed)
    units = np.array(y)[:, None]
    photos = [
        estimates_of_photo(network, x[i : i + 1], units[i : i + 1], level, repetitions)
        for i in range(len(x))
    ]
    for n, *estimates in zip(repetitions, *photos, strict=True):
        yield n, *map(np.concatenate, zip(*estimates, strict=True))


def estimates_of_photo(network, x, y, level, repetitions):
    """Return (maps by slopes, hybrid maps, squared errors of these) for each n."""
    found = {}

    @looping_method
    def run(call, *, counts):
        hybrid, slopes = (
            estimator(call, level, counts[-1], combine) for combine in (True, False)
        )
        for backward, copies in hybrid.chunks():
            hybrid.add(backward, copies)
            if (n := 2 * hybrid.pairs) in counts:
                slopes.statistics = keras.tree.map_structure(
                    sum_over_groups, hybrid.statistics
                )
                slopes.counts = hybrid.counts.sum(axis=1, keepdims=True)
                results = slopes.estimate(), hybrid.estimate()
                maps = (ops.convert_to_numpy(each.maps)[..., 0] for each in results)
                found[n] = [*maps, results[1].squared_errors]
        return call.logits, results[1].maps

    # A small n is not the end of a chunk in the run of the largest n: it runs alone.
    small = [n for n in repetitions if n <= 2 * ROWS]
    large = [n for n in repetitions if n not in small]
    for counts in filter(None, [*([n] for n in small), large]):
        run(network, x, y, rows=ROWS, counts=counts)
    return [found[n] for n in repetitions]


def estimator(call, level, repetitions, combine):
    """Return the hybrid estimator, or that by slopes alone, for a single image."""
    noise = Noise(DEFAULT, level, antithetic=True)
    sampling = Sampling(repetitions, 1, copies=2)
    sigma = noise.scales(call.model, call.inputs, value_ranges(call.inputs))
    copies = noisy_copy_source(call, noise, sampling, sigma)
    accumulator = Accumulator(call.outputs, call.indices, sampling, with_errors=True)
    return ImageEstimator(call, copies, sampling, combine, 0, accumulator)


def sum_over_groups(statistics):
    return ops.convert_to_numpy(statistics).sum(axis=0, keepdims=True)


def rows(args):
    """Yield a row for each network, noise level, n and estimator."""
    for name, model, x, y in evaluated_networks(args):
        for level in args.levels:
            print(f"  {name} {level}", file=sys.stderr, flush=True)
            reference = load_or_compute_reference(
                args.cache, name, model, x, y, level, args.reference
            )
            setting = {"network": name, "pixels": x.shape[1]}
            setting |= {"sigma": level, "photos": len(x)}
            for estimate in all_estimates(model, x, y, level, args.repetitions):
                yield setting | errors(reference, *estimate)


def all_estimates(*args):
    """Yield the name of each estimator, n, the maps and the errors it estimates."""
    both = zip(sampled(*args), estimated(*args), strict=True)
    for (n, plain, plain_squared), (_, slopes, hybrid, hybrid_squared) in both:
        yield "sampled", n, plain, plain_squared
        yield "slopes", n, slopes, None
        yield "hybrid", n, hybrid, hybrid_squared


def errors(reference, name, n, maps, estimated_error):
    """Return the rest of a row: the means over the photos."""
    metrics = [*map(mean, similarity(maps, reference.maps, reference.error))]
    return {
        "estimator": name,
        "n": n,
        **dict(zip(METRICS, metrics, strict=True)),
        "says": None if name == "slopes" else mean(estimated_error / reference.size),
        "plain": reference.samples_for(metrics[0]),
    }


def mean(values):
    """Return the mean, rounded to four digits."""
    return float(f"{np.mean(values):.4g}")


def main():
    options = parser(__doc__.splitlines()[0])
    options.add_argument(
        "--levels",
        nargs="+",
        type=float,
        default=[0.05, 0.1, 0.2],
        help="sigma as a fraction of the range of the image",
    )
    options.add_argument(
        "--reference", type=int, default=4000, help="samples of the reference"
    )
    options.add_argument("--cache", type=Path, default=Path("reference-cache"))
    args = options.parse_args()
    args.cache.mkdir(exist_ok=True)
    print_setting(args.data, args.photos)
    print_and_save(rows(args), args.save)


if __name__ == "__main__":
    main()
