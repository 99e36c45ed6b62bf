"""Which methods score best on trained networks, by which metric, with what certainty?

    python -m benchmarks.evaluation --data PATH_TO_FOLDER [--photos 20] [--mosaics 20]
        [--networks mobilenet_025] [--methods gradients,gradcam]
        [--metrics deletion,auc] [--steps 50] [--draws 50] [--masks 400]
        [--save FOLDER]

`accuracy/trained_networks.py` describes the folder, whose `build_model.py` also has
`map_boxes`. All methods but those for transformers explain the labels of photos that
all networks classify correctly, and are scored by all metrics that do not depend on the
scale of a map; the boxes of the labels serve as masks. `focus` scores the maps of
mosaics of four photos instead.

It prints, for each network, the tables of scores, the methods that are better than the
map of edges, and the rank correlation of the metrics: do they order the methods alike?
With `--save`, it writes the scores and the figure of each network.
"""

import argparse
import importlib
import itertools
import sys
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

import keras_explainable as ke
from benchmarks.accuracy.trained_networks import (
    NETWORKS,
    correctly_classified,
    networks,
    print_setting,
)

METHODS = (
    *("smoothgrad", "smoothgrad_squared", "vargrad", "gradients", "input_x_gradient"),
    *("integrated_gradients", "guided_gradients", "full_gradients"),
    *("cam", "gradcam", "gradcampp", "hirescam", "layercam", "scorecam"),
    *("minmaxcam", "d_minmaxcam", "minmaxgradcam", "d_minmaxgradcam"),
    *("occlusion", "rise"),
)

MASK_METRICS = (
    *("pointing_game", "auc", "best_iou"),
    *("relevance_mass_accuracy", "relevance_rank_accuracy"),
)

#: Map that knows nothing of the network, with which methods are compared.
EDGES = "edges"


def metrics_of(steps, draws):
    """Return the metrics by name.

    Args:
        steps: Number of steps of the removal of pixels.
        draws: Number of random sets, and five times that of changed inputs.
    """
    stepped = ("deletion", "insertion", "degradation_score", "pixel_flipping")
    drawn = ("faithfulness_correlation", "sensitivity_n")
    near = ("max_sensitivity", "avg_sensitivity")
    others = ("road", "single_deletion", "random_logit", "input_invariance")
    maps = ("sparseness", "complexity", "effective_complexity")
    known = {
        "mprt": partial(ke.metrics.mprt, order="all"),
        "efficient_mprt": ke.metrics.efficient_mprt,
        "infidelity": partial(ke.metrics.infidelity, draws=draws, scaled=True),
    }
    known |= {name: partial(getattr(ke.metrics, name), steps=steps) for name in stepped}
    known |= {name: partial(getattr(ke.metrics, name), draws=draws) for name in drawn}
    few = max(draws // 5, 1)
    known |= {name: partial(getattr(ke.metrics, name), draws=few) for name in near}
    return known | {
        name: getattr(ke.metrics, name) for name in others + maps + MASK_METRICS
    }


def methods_of(names, repetitions, masks=400):
    """Return shortcuts by name, with the repetitions of those that draw at random."""
    counts = dict.fromkeys(("smoothgrad", "smoothgrad_squared", "vargrad"), repetitions)
    counts["rise"] = masks
    return {
        name: partial(getattr(ke, name), repetitions=counts[name])
        if name in counts
        else name
        for name in names
    }


def masks_of(folder, network, photos):
    """Return the masks (N, H, W) of the labels' boxes, as the network sees them."""
    data = importlib.import_module("build_model")
    side = data.NETWORKS[network][1]
    masks = np.zeros((photos, side, side), bool)
    for mask, row in zip(masks, correctly_classified(folder, photos), strict=True):
        corners = [[int(n) for n in box.split()] for box in row["boxes"].split(";")]
        size = int(row["width"]), int(row["height"])
        for box in data.map_boxes(corners, size, network):
            left, top, right, bottom = (round(float(each)) for each in box)
            mask[top:bottom, left:right] = True
    return masks


def scores_of_mosaics(methods, network, x, y, count):
    """Return the evaluation by `focus` of mosaics of 2 x 2 photos."""
    data = importlib.import_module("build_model")
    images, classes = ke.metrics.mosaics(x, y, count=count)
    model = data.build(network, side=images.shape[1])
    return ke.evaluate(methods, model, images, classes, ["focus"], verbose=2)


def better_than_edges(evaluation, metric):
    """Return the methods that are better than edges, beyond chance."""
    sign = 1 if evaluation.higher_is_better[evaluation.metrics.index(metric)] else -1
    others = [name for name in evaluation.methods if name not in evaluation.controls]
    found = [evaluation.difference(name, EDGES, metric) for name in others]
    return [each.method for each in found if each.told_apart and sign * each.mean > 0]


def rank_correlations(evaluation):
    """Return rows of two metrics and the correlation of their orders of the methods.

    Controls are left out. It is None if a metric has no score for some method, and for
    fewer than three methods.
    """
    methods = [name not in evaluation.controls for name in evaluation.methods]
    signs = np.where(evaluation.higher_is_better, 1, -1)
    means = (evaluation.mean * signs)[methods]
    rows = []
    for one, two in itertools.combinations(range(len(evaluation.metrics)), 2):
        columns = means[:, [one, two]].T
        known = np.isfinite(columns).all() and (np.ptp(columns, axis=1) > 0).all()
        known = known and columns.shape[1] > 2
        value = float(spearmanr(*columns).statistic) if known else None
        rows.append((evaluation.metrics[one], evaluation.metrics[two], value))
    return rows


def show(name, evaluation, folder):
    """Print what an evaluation says, and save it with its figure."""
    print(f"\n## {name}\n\n{evaluation}\n\nBetter than {EDGES}, beyond chance:")
    for metric in evaluation.metrics:
        found = better_than_edges(evaluation, metric)
        print(f"  {metric}: {', '.join(found) or 'none'}")
    print("Rank correlation of the metrics over the methods:")
    for one, two, value in rank_correlations(evaluation):
        print(f"  {one}, {two}: {'unknown' if value is None else f'{value:.2f}'}")
    if folder is not None:
        evaluation.save(folder / f"{name}.npz")
        evaluation.plot(folder / f"{name}.png")


def run(arguments):
    """Evaluate all networks."""
    chosen = metrics_of(arguments.steps, arguments.draws)
    chosen = {name: chosen[name] for name in arguments.metrics or chosen}
    methods = methods_of(arguments.methods, arguments.repetitions, arguments.masks)
    for name, model, x, y in networks(arguments.data, arguments.photos):
        if name not in arguments.networks:
            continue
        masks = masks_of(arguments.data, name, len(x))
        needed = not {*chosen}.isdisjoint(MASK_METRICS)
        given = model, x, np.array(y), chosen, masks if needed else None
        show(name, ke.evaluate(methods, *given, verbose=2), arguments.save)
        if arguments.mosaics:
            found = scores_of_mosaics(methods, name, x, np.array(y), arguments.mosaics)
            show(f"{name}_mosaics", found, arguments.save)


def parse(words=None):
    """Return the arguments."""

    def names(text):
        return text.split(",")

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of networks and photos")
    add("--photos", type=int, default=20)
    add("--mosaics", type=int, default=20, help="number of mosaics; 0 for none")
    add("--networks", type=names, default=NETWORKS, help="names, separated by commas")
    add("--methods", type=names, default=METHODS, help="names, separated by commas")
    add("--metrics", type=names, help="names, separated by commas; default: all")
    add("--steps", type=int, default=50, help="steps of the removal of pixels")
    add("--draws", type=int, default=50, help="random draws of metrics")
    add("--repetitions", type=int, default=50, help="noisy copies of SmoothGrad")
    add("--masks", type=int, default=400, help="random masks of RISE")
    add("--save", type=Path, help="folder of the scores and figures")
    return parser.parse_args(words)


def main(words=None):
    """Run the benchmark."""
    arguments = parse(words)
    if arguments.save is not None:
        arguments.save.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(arguments.data))
    print_setting(arguments.data, arguments.photos)
    run(arguments)


if __name__ == "__main__":
    main()
