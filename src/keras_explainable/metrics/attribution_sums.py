"""Faithfulness: whether sums of a map's values predict drops of the score.

A map that is an attribution gives each pixel its share of the score. The sum over a
set of pixels should then be what the score loses when they are removed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.metrics.map_arrays import Booleans, Floats, share
from keras_explainable.metrics.map_batch import MapBatch
from keras_explainable.metrics.orientation import higher_is_better, lower_is_better
from keras_explainable.metrics.perturbing_metric import perturbing_metric
from keras_explainable.metrics.random_draws import SUBSETS, WINDOWS, generator
from keras_explainable.sampling.schedule import Copies

#: Function of a random generator and the number of a draw to a set of pixels (...).
Drawn = Callable[[np.random.Generator, int], Booleans]


@higher_is_better
@perturbing_metric(logits=None)
def faithfulness_correlation(
    batch: MapBatch, *, size: int | None = None, draws: int = 100, baseline: Any = 0.0
) -> Floats:
    """Return the correlation of sums of map values with drops of the score (N, K).

        score = corr over S of (sum_{i in S} map_i, f(x) - f(x without S))

    S are random sets of pixels, all of one size, the same for all maps of an image;
    the correlation is Pearson's. It is 1 for the attributions of a linear model, and 0
    on average for a random map. It does not change if a map is multiplied by a positive
    number, and changes its sign with the map. NaN if the sums or the drops are all
    equal. Higher is better.

    Args:
        size: Number of pixels in a set, below that of the image; None for a tenth.
        draws: Number of sets, at least 2.

    The other arguments and the errors are those of ``ke.metrics.deletion``, but
    ``logits=None``, the default, takes what ``ke.explain`` explains: logits, or the
    value of a target.

    Reference: Bhatt et al., 2020, https://arxiv.org/abs/2005.00631
    """
    sizes = [max(batch.pixels // 10, 1) if size is None else size]
    return _correlations(batch, "size", sizes, draws, baseline)[:, 0]


@higher_is_better
@perturbing_metric(logits=None)
def sensitivity_n(
    batch: MapBatch,
    *,
    n: int | Sequence[int] | None = None,
    draws: int = 100,
    baseline: Any = 0.0,
) -> Floats:
    """Return the mean correlation of sums and drops over several sizes of sets (N, K).

        score = mean_n corr_S (sum_{i in S} map_i, f(x) - f(x without S))

    S are random sets of n pixels. It is ``faithfulness_correlation`` at several sizes.
    Higher is better.

    Args:
        n: Sizes of the sets, below the number of pixels; None for five sizes from 1 to
            80 % of the pixels, with equal ratios.
        draws: Number of sets of each size, at least 2.

    The other arguments and the errors are those of ``ke.metrics.deletion``, but
    ``logits=None``, the default, takes what ``ke.explain`` explains: logits, or the
    value of a target.

    Reference: Ancona et al., 2018, https://arxiv.org/abs/1711.06104
    """
    most = max(int(0.8 * batch.pixels), 1)
    usual = np.unique(np.rint(np.geomspace(1, most, 5)).astype("int64"))
    given: Any = usual.tolist() if n is None else n
    sizes = [*given] if np.ndim(given) else [given]
    if not sizes:
        raise ValueError(f"`n` must be at least one size; received {n!r}.")
    return np.mean(_correlations(batch, "n", sizes, draws, baseline), axis=1)


@lower_is_better
@perturbing_metric(logits=None)
def infidelity(
    batch: MapBatch,
    *,
    size: int | None = None,
    draws: int = 100,
    baseline: Any = 0.0,
    scaled: bool = False,
) -> Floats:
    """Return the squared difference between sums of map values and drops (N, K).

        score = mean over S of (a sum_{i in S} map_i - (f(x) - f(x without S)))^2

    S are squares at random places, the same for all maps of an image. It is 0 for the
    attributions of a linear model, in units of the squared output. Lower is better.

    Args:
        size: Side of the squares in pixels; None for an eighth of each side.
        draws: Number of squares.
        scaled: Whether a is the factor that makes the score of each map smallest, so
            that its scale does not count; by default a = 1.

    The other arguments and the errors are those of ``ke.metrics.deletion``, but
    ``logits=None``, the default, takes what ``ke.explain`` explains: logits, or the
    value of a target.

    Reference: Yeh et al., 2019, https://arxiv.org/abs/1901.09392
    """
    checks.boolean("scaled", scaled)
    checks.integer("draws", draws, 1)
    if size is not None:
        checks.integer("size", size, 1, min(batch.shape))
    sides = [-(-side // 8) if size is None else size for side in batch.shape]

    def window(rng: np.random.Generator, draw: int) -> Booleans:
        found = np.zeros(batch.shape, bool)
        spare = zip(batch.shape, sides, strict=True)
        starts = [int(rng.integers(length - side + 1)) for length, side in spare]
        pairs = zip(starts, sides, strict=True)
        found[tuple(slice(start, start + side) for start, side in pairs)] = True
        return found

    sums, drops = _sums_and_drops(batch, WINDOWS, window, draws, baseline)
    if scaled:
        factor = share((sums * drops).sum(axis=1), (sums**2).sum(axis=1))
        sums = sums * np.nan_to_num(factor)[:, None]
    return np.mean((sums - drops) ** 2, axis=1)


def _correlations(
    batch: MapBatch, name: str, sizes: list[int], draws: int, baseline: Any
) -> Floats:
    """Return correlations (N, sizes, K) over random sets of pixels of each size."""
    checks.integer("draws", draws, 2)
    for each in sizes:
        checks.integer(name, each, 1, batch.pixels - 1)

    def subset(rng: np.random.Generator, draw: int) -> Booleans:
        found = np.zeros(batch.pixels, bool)
        size = sizes[draw // draws]
        found[rng.choice(batch.pixels, size, replace=False, shuffle=False)] = True
        return found.reshape(batch.shape)

    count = len(sizes) * draws
    found = _sums_and_drops(batch, SUBSETS, subset, count, baseline)
    shape = batch.used, len(sizes), draws, batch.units
    return correlation(*(each.reshape(shape) for each in found))


def _sums_and_drops(
    batch: MapBatch, kind: int, drawn: Drawn, count: int, baseline: Any
) -> tuple[Floats, Floats]:
    """Return sums of map values and drops of scores for random sets (N, count, K)."""
    sums = np.zeros((batch.used, count, batch.units))

    def hide(copies: Copies) -> Booleans:
        sets: list[NDArray[np.bool_]] = []
        for image, draw in zip(copies.image, copies.draw, strict=True):
            rng = generator(kind, batch.seed, batch.ids[image], draw)
            sets.append(drawn(rng, draw))
            # Summed here, so that the sets need not be kept.
            sums[image, draw] = batch.maps[image][sets[-1]].sum(axis=0)
        return np.stack(sets)

    scores = batch.scores_of_copies(count, hide, batch.replacement(baseline))
    return sums, batch.scores[:, None] - scores


def correlation(a: Floats, b: Floats) -> Floats:
    """Return Pearson's correlation over the last axis but one; NaN for equal values."""
    varied = (np.ptp(a, axis=-2) > 0) & (np.ptp(b, axis=-2) > 0)
    a, b = (x - x.mean(axis=-2, keepdims=True) for x in (a, b))
    norms = np.sqrt((a**2).sum(axis=-2) * (b**2).sum(axis=-2))
    return share((a * b).sum(axis=-2), np.where(varied, norms, 0))
