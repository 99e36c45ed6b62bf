"""Robustness: how much maps change when their inputs hardly do.

These metrics explain copies of each input that lie close to it, with the method itself.
The copies go through ``ke.explain`` in chunks of one size, and their maps are compared
at once, so that memory does not grow with their number.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.engine.explainer import check_passed_on, explainer, takes_seed
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.execution.chunks import padded_chunks
from keras_explainable.metrics.data_arrays import checked_inputs, checked_units
from keras_explainable.metrics.map_arrays import Floats, checked_maps, share
from keras_explainable.metrics.orientation import lower_is_better
from keras_explainable.metrics.random_draws import NEIGHBOURS, generator
from keras_explainable.network.input_kinds import takes_noise
from keras_explainable.network.masked_steps import changeable_parts
from keras_explainable.sampling.noise import value_ranges
from keras_explainable.sampling.schedule import Copies
from keras_explainable.types import Method, Model

#: The most copies that are made at once.
COPIES = 64

Metric = Callable[..., Any]
Floats32 = NDArray[np.float32]


def robustness_metric(function: Callable[[Floats, Floats, Floats], Floats]) -> Metric:
    """Return the metric that is a function of changes.

    Args:
        function: Function to scores (N, K) of the norms of the changes of maps (N,
            draws, K), of the maps (N, K), and of the changes of inputs (N, draws).
    """

    @wraps(function)
    def metric(
        method: Method,
        model: Model,
        x: Any,
        y: Any = None,
        *,
        radius: float = 0.02,
        draws: int = 10,
        seed: int = 0,
        ids: Any = None,
        verbose: str | int = "auto",
        **params: Any,
    ) -> Floats:
        run = explainer(method)
        check_passed_on(metric, method, params)
        checks.number("radius", radius, 0)
        checks.integer("draws", draws, 1)
        checks.integer("seed", seed, 0)
        x = checked_inputs(x, "metrics of robustness")
        copies = NearCopies(model, x, ids, draws, radius, seed)
        progress = Progress(model, None, verbose, 1, len(copies.inputs))
        if takes_seed(method):
            params["seed"] = seed
        explained = partial(run, model, verbose=0, **params)
        y = checked_units(model, copies.inputs, y, "metrics of robustness")
        return function(*_changes(explained, copies, y, progress))

    own = inspect.signature(metric, follow_wrapped=False)
    metric.__signature__ = own  # type: ignore[attr-defined]
    return metric


@lower_is_better
@robustness_metric
def max_sensitivity(changes: Floats, norms: Floats, distances: Floats) -> Floats:
    """Return the largest relative change of each map near its input (N, K).

        score = max over x' of |map(x') - map(x)| / |map(x)|,   x' = x + u

    u is uniform noise between -r and r in each value, where r is ``radius`` times the
    range (maximum - minimum) of the input; norms are Euclidean. The maximum is that of
    ``draws`` draws, and grows with their number. The score does not change if the maps
    are multiplied by a number. NaN for a map of zeros. Lower is better.

    Args:
        method: Explaining method, as for ``ke.explain``, or a shortcut. One that draws
            at random is given ``seed`` if it takes it; give ``smooth(...)`` a seed, as
            maps of different draws are never equal.
        model: Keras model with one input.
        x: Inputs (N, H, W, C): an array, list or tensor.
        y: Units, None or a target without data, as for ``ke.explain``. "predicted" and
            "top3" choose the units of ``x``, and the same ones for its copies.
        radius: Largest change of a value, as a fraction of the range of its input.
        draws: Number of copies of each input.
        seed: Integer >= 0, of the copies.
        ids: One integer >= 0 for each image, by default its position; random draws
            depend on it and on the seed.
        verbose: As for ``ke.explain``; progress is counted in images.
        **params: All other parameters of ``ke.explain`` and of the method.

    Returns:
        Scores (N, K).

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is not as described.

    Reference: Yeh et al., 2019, https://arxiv.org/abs/1901.09392
    """
    return share(changes.max(axis=1), norms)


@lower_is_better
@robustness_metric
def avg_sensitivity(changes: Floats, norms: Floats, distances: Floats) -> Floats:
    """Return the mean relative change of each map near its input (N, K).

        score = mean over x' of |map(x') - map(x)| / |map(x)|,   x' = x + u

    Arguments, errors and copies are those of ``max_sensitivity``. Lower is better.

    Reference: Yeh et al., 2019, https://arxiv.org/abs/1901.09392
    """
    return share(changes.mean(axis=1), norms)


@lower_is_better
@robustness_metric
def local_lipschitz_estimate(
    changes: Floats, norms: Floats, distances: Floats
) -> Floats:
    """Return the largest ratio of a map's change to its input's (N, K).

        score = max over x' of |map(x') - map(x)| / |x' - x|,   x' = x + u

    It is in units of the map per unit of the input, and so compares maps of one scale
    only. NaN if the copies are equal to the input. Arguments, errors and copies are
    those of ``max_sensitivity``. Lower is better.

    Reference: Alvarez-Melis & Jaakkola, 2018, https://arxiv.org/abs/1806.08049
    """
    return np.max(share(changes, distances[..., None]), axis=1)


class NearCopies:
    """Copies of inputs (N, ...) that lie close to them.

    Hidden steps and categories stay as they are, and do not count for the range.
    """

    def __init__(
        self,
        model: Model,
        inputs: Floats32,
        ids: Any,
        draws: int,
        radius: float,
        seed: int,
    ):
        """Args: the model, inputs and their ids, and the parameters of the metrics."""
        if not any(takes_noise(model, inputs)):
            raise without_quantities("metrics of robustness")
        self.inputs, self.draws, self.seed = inputs, draws, seed
        self.ids = checks.image_ids(ids, len(inputs))
        [shown] = changeable_parts(model, ops.convert_to_tensor(inputs))
        #: Largest changes of the values of each input.
        self.largest = radius * np.expand_dims(
            value_ranges(inputs, shown), tuple(range(1, inputs.ndim))
        )
        if shown is not None:
            self.largest = self.largest * ops.convert_to_numpy(shown)

    def __iter__(self) -> Iterator[Copies]:
        """Yield chunks of one size."""
        total = len(self.inputs) * self.draws
        for rows, used in padded_chunks(total, min(COPIES, total)):
            yield Copies(rows // self.draws, rows % self.draws, used)

    def of(self, copies: Copies) -> Floats32:
        """Return a chunk of copies (R, ...)."""
        found = self.inputs[copies.image]
        for copy, image, draw in zip(found, copies.image, copies.draw, strict=True):
            rng = generator(NEIGHBOURS, self.seed, self.ids[image], draw)
            copy += rng.uniform(-1, 1, copy.shape) * self.largest[image]
        return found


def without_quantities(user: str) -> ValueError:
    """Return the error for a model whose inputs hold no real numbers."""
    return ValueError(
        f"`model` must have an input of real numbers for {user}, which change it; "
        "received one of tokens, categories or masks."
    )


def _changes(
    explained: Callable[..., Any], copies: NearCopies, y: Any, progress: Progress
) -> tuple[Floats, Floats, Floats]:
    """Return norms of the changes of maps, of the maps, and of the changes of inputs.

    Their shapes are (N, draws, K), (N, K) and (N, draws).
    """
    _, maps = explained(copies.inputs, y, ids=copies.ids)
    maps, (count, draws) = checked_maps(maps), (len(copies.inputs), copies.draws)
    changes = np.zeros((count, draws, maps.shape[-1]))
    distances, report = np.zeros((count, draws)), progress.of_batch(count)
    for chunk in (each for _ in progress.steps([None]) for each in copies):
        x, image, used = copies.of(chunk), chunk.image, chunk.used
        units = y[image] if isinstance(y, np.ndarray) else y
        _, others = explained(x, units, ids=copies.ids[image])
        at = image[used], chunk.draw[used]
        changes[at] = norms(checked_maps(others) - maps[image])[used]
        distances[at] = norms((x - copies.inputs[image])[..., None])[used, 0]
        report(int((image * draws + chunk.draw)[used][-1]) + 1, count * draws)
    return changes, norms(maps), distances


def norms(maps: NDArray[Any]) -> Floats:
    """Return the Euclidean norms (N, K) of maps (N, ..., K)."""
    flat = maps.reshape(len(maps), -1, maps.shape[-1]).astype("float64")
    return np.sqrt((flat**2).sum(axis=1))
