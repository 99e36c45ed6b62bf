"""SmoothGrad of signed gradients, by samples, by averaged slopes, or by both."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend, checks, moments, noise, units
from keras_explainable.averaging import Call, averaged, looping, noisy_views
from keras_explainable.batching import Schedule
from keras_explainable.compilation import compiled
from keras_explainable.methods.gradient import slopes
from keras_explainable.methods.gradient.blending import Half, blended
from keras_explainable.methods.gradient.plain import SIGNED_GRADIENTS, reduced
from keras_explainable.moments import Moments
from keras_explainable.noise import DEFAULT, Amount, Noise
from keras_explainable.preparing import prepares
from keras_explainable.sampling import Sampling
from keras_explainable.types import Model, Tensor
from keras_explainable.warning import warn

#: Ways to estimate the mean gradient under noise.
ESTIMATORS = ("sampled", "slopes", "hybrid")

#: The fewest repetitions: pairs for slopes, two of them to tell what both err by.
_FEWEST = {"slopes": 2, "hybrid": 4}


def _prepare(model: Model, params: dict[str, Any]) -> Model:
    if params.get("estimator", "sampled") == "sampled":
        return model
    return slopes.exposed_model(model) or model


def _smooth_gradients(  # noqa: D417
    call: Call,
    *,
    repetitions: int = 50,
    noise: Amount | None = None,
    noise_level: Amount = 0.15,
    seed: int | None = 0,
    estimator: str = "sampled",
    channel_reduction: Callable[..., Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the chosen units and the mean of their signed gradients under noise.

        maps[b, ..., k] = E[ d f_{indices[b, k]}(x_b + sigma eps) / d x_b ]

    Args:
        model: Keras model with one input.
        inputs: (B, H, W, C), or (B, ..., C) of any rank.
        indices: units to explain (B, K), or (B,) read as (B, 1); None for every unit.
        repetitions: n, the noisy copies of each input; even but for "sampled".
        noise: sigma in units of the input; a number, or one for each channel.
        noise_level: sigma as a fraction of each input's own maximum - minimum, if no
            ``noise`` is given.
        seed: integer >= 0, or None for fresh noise.
        estimator: "sampled", the mean of the copies' gradients, which is SmoothGrad as
            everyone knows it; "slopes", one gradient of a network whose nonlinear steps
            have the slopes that they have on average under the noise, with little
            variance and some bias; or "hybrid", between both by what they err by, which
            converges to "sampled" as there are more repetitions.
        channel_reduction: called with ``axis=`` of the channels, or None to keep them.

    Returns:
        ``logits`` (B, K) of the clean inputs, and signed ``maps`` (B, H, W, C, K) in
        units of output per unit of input. "slopes" and "hybrid" draw pairs x + e and
        x - e. A model that is not known layer by layer (a subclassed one) is sampled,
        with a warning.

    Raises:
        ValueError: if a parameter is not as described, or the model has several inputs.

    References: Smilkov et al., 2017, https://arxiv.org/abs/1706.03825
    """
    checks.one_of("estimator", estimator, ESTIMATORS)
    level = noise_level if noise is None else None
    amount: Amount = DEFAULT if noise is None else noise
    model = _prepare(call.model, {"estimator": estimator})
    if estimator != "sampled" and not slopes.is_exposed(model):
        warn(
            f"The layers of {getattr(model, 'name', model)!r} are not known; "
            f"estimator='sampled' is used in place of {estimator!r}."
        )
        estimator = "sampled"
    by_pairs = estimator != "sampled"
    noisy = Noise(amount, level, antithetic=by_pairs)
    sampling = _sampling(repetitions, seed, estimator, noisy.copies).with_seed()
    call = replace(call, model=model)
    estimate = _by_pairs if by_pairs else _sampled
    maps = estimate(call, noisy, sampling, estimator == "hybrid")
    return call.logits, reduced(maps, channel_reduction, axis=-2)


smooth_gradients = prepares(_prepare)(looping(_smooth_gradients, samples=False))
smooth_gradients.__name__ = "smooth_gradients"


def _sampling(
    repetitions: int, seed: int | None, estimator: str, copies: int
) -> Sampling:
    checks.integer("repetitions", repetitions, _FEWEST.get(estimator, 1))
    if repetitions % copies:
        raise ValueError(
            f"`repetitions` must be even with estimator={estimator!r}; received "
            f"{repetitions}."
        )
    return Sampling(repetitions, seed, copies=copies)


def _sigma(call: Call, noisy: Noise) -> np.ndarray:
    spans = noise.ranges(call.inputs)
    sigma: np.ndarray = noisy.scales(call.model, call.inputs, spans)
    if (message := noise.negligible(sigma, spans)) is not None:
        warn(message)
    return sigma


def _sampled(call: Call, noisy: Noise, sampling: Sampling, blend: bool) -> Tensor:
    views = noisy_views(call, noisy, sampling, _sigma(call, noisy))
    return averaged(call, SIGNED_GRADIENTS, views, sampling).maps


def _by_pairs(call: Call, noisy: Noise, sampling: Sampling, blend: bool) -> Tensor:
    """Return maps by slopes, and blended with those of the same samples if asked."""
    if unknown := slopes.unknown(call.model):
        warn(
            "The slopes of these layers are taken at the mean of their inputs alone, "
            f"which adds to the bias: {', '.join(dict.fromkeys(unknown))}."
        )
    views = noisy_views(call, noisy, sampling, _sigma(call, noisy))
    step = compiled(_with_gradients if blend else _forward_only, call.model)
    live = np.flatnonzero(call.ids != noise.PADDING)
    schedule = Schedule(live, sampling.draws, max(call.rows // 2, 1), len(call.ids))
    groups = 1 + blend
    tally = _Statistics(len(call.ids) * groups)
    for copies in schedule:
        pairs = ops.stack(ops.split(views(copies)[0], 2), axis=1)
        chosen = ops.take(call.indices, copies.image, axis=0)
        group = copies.image * groups + copies.draw % groups
        tally.add(step(pairs, chosen), group, copies.used)
        call.progress(schedule.done * 2, schedule.total * 2)
    return _blend(call, tally) if blend else _maps(call, tally.statistics())


def _forward_only(model: Any, pairs: Tensor, indices: Tensor) -> Any:
    found = model.run(_flat(pairs))
    return [], *slopes.pair_statistics(model, _named(model, found))


def _with_gradients(model: Any, pairs: Tensor, indices: Tensor) -> Any:
    def run(x: Tensor) -> tuple[Tensor, Any]:
        first, *others = model.run(x)
        return first, others

    outputs, pullback, others = backend.vjp(run, _flat(pairs))
    indices = ops.concatenate([indices, indices])
    _, maps = units.maps_of_units(outputs, indices, pullback)
    found = _named(model, [outputs, *others])
    return [slopes.pair_mean(maps)], *slopes.pair_statistics(model, found)


def _flat(pairs: Tensor) -> Tensor:
    """Return (R, 2, ...) as (2 R, ...), all the first ones first."""
    return ops.concatenate([pairs[:, 0], pairs[:, 1]])


def _named(model: Any, found: Any) -> dict[int, Tensor]:
    symbols = model.graph.outputs
    return {id(symbol): x for symbol, x in zip(symbols, found, strict=True)}


class _Statistics:
    """Running moments of the maps, and of what tells the slopes, in each group."""

    def __init__(self, groups: int):
        self.groups = groups
        self.parts: list[list[Moments]] = []

    def add(self, found: Any, group: np.ndarray, used: np.ndarray) -> None:
        """Count in maps, means and others, lists of tensors (R, ...)."""
        orders = (2, 2, 1)
        self.parts = self.parts or [
            [Moments(self.groups, order) for _ in some]
            for order, some in zip(orders, found, strict=True)
        ]
        for some, tensors in zip(self.parts, found, strict=True):
            for part, x in zip(some, tensors, strict=True):
                part.add(x, group, used)
        if (last := next(filter(None, reversed(self.parts)), None)) is not None:
            backend.wait(last[-1].state[0])

    def statistics(self) -> list[Tensor]:
        """Return what ``slopes.linearised_maps`` wants of each group."""
        return _statistics([[(p.state, p.counts) for p in x] for x in self.parts[1:]])

    def half(self, number: int) -> Any:
        """Return state and counts of each part, of every other group."""
        return [[_taken(part, number) for part in some] for some in self.parts]


def _taken(part: Moments, number: int) -> tuple[moments.State, np.ndarray]:
    return [x[number::2] for x in part.state], part.counts[number::2]


def _statistics(parts: Any) -> list[Tensor]:
    means, others = parts
    variances = [moments.variance(state, counts) for state, counts in means]
    return [
        *(state[0] for state, _ in means),
        *variances,
        *(state[0] for state, _ in others),
    ]


def _maps(call: Call, statistics: list[Tensor]) -> Tensor:
    run = compiled(slopes.linearised_maps, call.model)
    return run(ops.convert_to_tensor(call.inputs), call.indices, *statistics)


def _blend(call: Call, tally: _Statistics) -> Tensor:
    both = [tally.half(0), tally.half(1)]
    whole = [
        [_merged(*pair) for pair in zip(*some, strict=True)]
        for some in zip(*both, strict=True)
    ]
    halves = [_half(call, part) for part in (*both, whole)]
    return blended(*halves)


def _merged(first: Any, second: Any) -> tuple[moments.State, np.ndarray]:
    state = moments.merged(first[0], first[1], second[0], second[1])
    return state, first[1] + second[1]


def _half(call: Call, parts: Any) -> Half:
    [(state, counts)], *rest = parts
    return Half(state, counts, _maps(call, _statistics(rest)))
