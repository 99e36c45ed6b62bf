"""Sanity checks: whether maps depend on the weights, and on the unit.

A map that stays the same when the weights of the model are random, or when another unit
is explained, does not show what the model looked at for this unit.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_explainable.common import checks
from keras_explainable.common.optional_packages import require
from keras_explainable.common.structures import first_of
from keras_explainable.engine.explainer import check_passed_on, explainer, takes_seed
from keras_explainable.engine.model_checks import check_model
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.metrics.attribution_sums import correlation
from keras_explainable.metrics.data_arrays import (
    checked_inputs,
    checked_units,
    unit_count,
)
from keras_explainable.metrics.map_arrays import Floats, flat_maps, share
from keras_explainable.metrics.orientation import lower_is_better
from keras_explainable.metrics.random_draws import UNITS, WEIGHTS, generator
from keras_explainable.network.layers_of_model import layers_reversed, trained_weights
from keras_explainable.targets.target import Target
from keras_explainable.types import Method, Model

USER = "metrics of randomisation"

#: Orders in which layers become random.
ORDERS = ("cascading", "independent", "all")


@lower_is_better
def mprt(
    method: Method,
    model: Model,
    x: Any,
    y: Any = None,
    *,
    order: str = "cascading",
    seed: int = 0,
    ids: Any = None,
    verbose: str | int = "auto",
    **params: Any,
) -> Floats:
    """Return how similar maps stay while the weights become random (N, K).

        score = mean over l of corr(ranks of map(x), ranks of map_l(x))

    This is the model parameter randomisation test. map_l is the map of a copy of the
    model in which the weights of layer l were shuffled, each weight array by itself.
    The similarity is Spearman's rank correlation: 1 for a method that ignores the
    weights, and about 0 for maps without anything in common. A step whose map_l is
    constant is left out of the mean; NaN if all are, or map(x) is. Of several outputs,
    the weights are those of the first, unless ``y`` is a target. The model itself is
    never changed. Lower is better.

    Args:
        method: Explaining method, as for ``ke.explain``, or a shortcut. One that draws
            at random is given ``seed``, the same for all copies, if it takes it; give
            ``smooth(...)`` a seed. With ``smooth``, this is the smooth test (sMPRT).
        model: Functional or Sequential Keras model with one input.
        x: Inputs (N, H, W, C): an array, list or tensor.
        y: Units, None or a target without data, as for ``ke.explain``. "predicted" and
            "top3" choose the units of the model itself.
        order: "cascading" shuffles the weights of one more layer at a time, the last
            layer first; "independent" those of a single layer at a time; "all" those
            of all layers at once.
        seed: Integer >= 0, of the shuffled weights.
        ids: One integer >= 0 for each image, by default its position.
        verbose: As for ``ke.explain``; progress is counted in images.
        **params: All other parameters of ``ke.explain`` and of the method.

    Returns:
        Scores (N, K), from -1 to 1.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the model cannot be copied or has no weights, or an argument is
            not as described.
        ImportError: If SciPy is not installed.

    References: Adebayo et al., 2018, https://arxiv.org/abs/1810.03292, and Hedström
        et al., 2024, https://arxiv.org/abs/2401.06465
    """
    checks.one_of("order", order, ORDERS)
    maps_of, inputs, units = explained(mprt, method, model, x, y, seed, ids, params)
    copy = copied(model, whole=isinstance(units, Target))
    groups = weights_by_layer(copy)
    progress = Progress(model, None, verbose, 1, len(inputs))
    report, steps = progress.of_batch(len(inputs)), 1 if order == "all" else len(groups)
    before, scores = _ranks(maps_of(model, inputs, units)), list[Floats]()
    for _ in progress.steps([None]):
        for number, _ in enumerate(randomised(groups, order, seed), 1):
            scores.append(correlation(before, _ranks(maps_of(copy, inputs, units))))
            report(len(inputs) * number, len(inputs) * steps)
    known = np.isfinite(scores)
    return share(np.where(known, scores, 0).sum(axis=0), known.sum(axis=0))


@lower_is_better
def random_logit(
    method: Method,
    model: Model,
    x: Any,
    y: Any = None,
    *,
    seed: int = 0,
    ids: Any = None,
    verbose: str | int = "auto",
    **params: Any,
) -> Floats:
    """Return how similar maps are to those of another unit, chosen at random (N, K).

        score = corr(ranks of map of unit k, ranks of map of unit j),   j != k

    The similarity is Spearman's rank correlation: 1 for a method that ignores the unit.
    NaN for constant maps. Lower is better. Arguments and errors are those of ``mprt``,
    but the model need not be one that can be copied, and ``y`` must not be a target.

    Reference: Sixt et al., 2020, https://arxiv.org/abs/1912.09818
    """
    maps_of, inputs, units = explained(
        random_logit, method, model, x, y, seed, ids, params
    )
    if units is not None and not isinstance(units, np.ndarray):
        raise ValueError(
            "`y` must be units or None, as other units are explained, too; received a "
            f"target: {y!r:.60}."
        )
    count = unit_count(model, inputs)
    if count < 2:
        raise ValueError(f"`model` must have at least two units; received {count}.")
    own = np.arange(count)[None].repeat(len(inputs), 0) if units is None else units
    own = own.reshape(len(inputs), -1)
    others = np.empty_like(own)
    for row, image_id in enumerate(checks.image_ids(ids, len(inputs))):
        steps = generator(UNITS, seed, image_id).integers(1, count, own.shape[1])
        others[row] = (own[row] + steps) % count
    progress = Progress(model, None, verbose, 1, len(inputs))
    report = progress.of_batch(len(inputs))
    for _ in progress.steps([None]):
        ranks = [_ranks(maps_of(model, inputs, each)) for each in (own, others)]
        report(len(inputs), len(inputs))
    return correlation(*ranks)


def explained(
    metric: Any,
    method: Method,
    model: Model,
    x: Any,
    y: Any,
    seed: int,
    ids: Any,
    params: Any,
) -> tuple[Callable[..., Any], NDArray[np.float32], Any]:
    """Return a function of model, inputs and units to maps; inputs; and units."""
    checks.integer("seed", seed, 0)
    run = explainer(method)
    check_passed_on(metric, method, params)
    check_model(model)
    inputs = checked_inputs(x, USER)
    given = {"seed": seed} if takes_seed(method) else {}
    options = {"ids": ids, "verbose": 0, **given, **params}
    run = partial(run, **options)
    units = checked_units(model, inputs, y, USER)
    return (lambda *data: run(*data)[1]), inputs, units


def _ranks(maps: Any) -> Floats:
    """Return the rank of each pixel of maps (N, ..., K), (N, P, K)."""
    rank = require("scipy.stats", "metrics").rankdata
    ranks: Floats = rank(flat_maps(maps), axis=1)
    return ranks


def copied(model: Model, whole: bool) -> Model:
    """Return a model of the first output with weights of its own, which are equal.

    Args:
        model: Model to copy.
        whole: Whether the copy has all outputs.

    Raises:
        ValueError: If Keras cannot copy it.
    """

    def call(layer: Any, *args: Any, mask: Any = None, **kwargs: Any) -> Any:
        return layer(*args, **kwargs)  # Not every layer takes a mask.

    try:
        # A new model, because cloning a compiled one would compile the clone, too.
        # The output of a Sequential one is that of its first call.
        sequential = isinstance(model, keras.Sequential)
        outputs = model.outputs[0] if sequential else model.output
        outputs = outputs if whole else first_of(outputs)
        uncompiled = keras.Model(model.inputs, outputs)
        with _global_draws_kept():
            copy = keras.models.clone_model(uncompiled, call_function=call)
        copy.set_weights(uncompiled.get_weights())
    except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
        raise ValueError(
            "`model` must be one that `keras.models.clone_model` can copy; received "
            f"{type(model).__name__}: {error}"
        ) from error
    return copy


@contextmanager
def _global_draws_kept() -> Iterator[None]:
    """Keep Python's random state, from which new layers draw seeds of their own."""
    state = random.getstate()
    try:
        yield
    finally:
        random.setstate(state)


def weights_by_layer(model: Model) -> list[list[keras.Variable]]:
    """Return the weights of each layer that has any, the last layer first."""
    groups, seen = list[list[keras.Variable]](), set[int]()
    for layer in layers_reversed(model):
        weights = [each for each in trained_weights([layer]) if id(each) not in seen]
        seen |= {*map(id, weights)}
        groups += [weights] * bool(weights)
    if not groups:
        raise ValueError(f"`model` must have weights; received {model.name!r}.")
    return groups


def randomised(
    groups: list[list[keras.Variable]], order: str, seed: int
) -> Iterator[None]:
    """Shuffle the weights of a copy, step by step."""
    every = [*chain.from_iterable(groups)]
    number = {id(weight): at for at, weight in enumerate(every)}
    for group in [every] if order == "all" else groups:
        before = [ops.convert_to_numpy(weight) for weight in group]
        for weight, values in zip(group, before, strict=True):
            rng = generator(WEIGHTS, seed, number[id(weight)])
            weight.assign(rng.permutation(values.ravel()).reshape(values.shape))
        yield
        if order == "independent":
            for weight, values in zip(group, before, strict=True):
                weight.assign(values)
