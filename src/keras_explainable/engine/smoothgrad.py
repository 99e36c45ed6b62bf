"""SmoothGrad in the form of its paper, and its variants, in one call."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

from keras import ops

from keras_explainable import filters
from keras_explainable.engine.automatic_estimator import (
    EstimatorChoice,
    automatic_method,
    given_for_samples,
    title,
)
from keras_explainable.engine.explain import explain
from keras_explainable.engine.explanation.explanation import AnyExplanation
from keras_explainable.engine.postprocessing import Postprocessing, postprocess
from keras_explainable.engine.signatures import joined_signature, options_of_explain
from keras_explainable.execution.method_checks import check_parameters, shortcut
from keras_explainable.execution.model_preparation import titled
from keras_explainable.inspection.axes import axis_parameters
from keras_explainable.methods import gradient, meta
from keras_explainable.methods.gradient.input_gradients import (
    SIGNED_GRADIENTS,
    reduce_channels,
)
from keras_explainable.methods.gradient.smooth_gradients import DEFAULT_LEVEL
from keras_explainable.sampling.noise import Amount, Default
from keras_explainable.sampling.standard_error import Statistic
from keras_explainable.types import Model, Tensor


@shortcut
def smoothgrad(  # noqa: D417
    model: Model,
    x: Any,
    y: Any = None,
    *args: Any,
    repetitions: int = 64,
    noise: Amount | None = None,
    noise_level: Amount = DEFAULT_LEVEL,
    seed: int | None = 0,
    estimator: EstimatorChoice = "auto",
    statistic: Statistic = "mean",
    tolerance: float | None = None,
    start: int = 0,
    antithetic: bool = False,
    preprocess: Callable[[Tensor], Tensor] | None = None,
    clip: tuple[float, float] | None = None,
    postprocessing: Postprocessing | None = filters.normalize,
    **params: Any,
) -> AnyExplanation:
    """Return the chosen logits and their SmoothGrad maps in the paper's form.

        maps = normalize( mean_c | 1/n sum_s d f(x + sigma eps_s) / d x_c | )

    Signed gradients are averaged for each channel. Their absolute values are then
    averaged over the channels.

    Args:
        repetitions: Number of noisy copies of each image.
        noise_level: Sigma, as a fraction of each image's own maximum - minimum; an
            alternative to ``noise``, sigma in units of the input.
        seed: Integer >= 0, or None for fresh noise.
        estimator: "sampled", the mean over the noisy copies; or "slopes" or "hybrid",
            which need fewer repetitions, as described in
            ``ke.methods.gradient.smooth_gradients``. They do not take ``statistic``,
            ``start``, ``antithetic``, ``preprocess`` and ``clip``, nor "slopes"
            ``tolerance``. "auto" is "hybrid" if the model has one input, of 100
            values or more, if all its nonlinear layers are known, if the number of
            repetitions is even and at least 4, and if none of these parameters is
            given; and "sampled" otherwise. ``Stats.estimator`` says which it was.
        postprocessing: Function applied to the maps (N, H, W, K). None leaves them in
            units of logit per unit of input.

    Reference: Smilkov et al., 2017, https://arxiv.org/abs/1706.03825
    """
    _check_names(params)
    sampling: dict[str, Any] = {"repetitions": repetitions, "seed": seed}
    sampling |= {"tolerance": tolerance} | _amounts(noise, noise_level)
    of_samples: dict[str, Any] = {
        "statistic": statistic,
        "start": start,
        "antithetic": antithetic,
        "preprocess": preprocess,
        "clip": clip,
    }
    params["postprocessing"] = partial(finished, postprocessing)
    if estimator == "auto":
        method = automatic_method(sampling, of_samples)
    elif estimator == "sampled":
        method = meta.smooth(SIGNED_GRADIENTS, **sampling, **of_samples)
    else:
        _check_estimated(of_samples)
        method = partial(gradient.smooth_gradients, estimator=estimator, **sampling)
    method = titled(method, _title(statistic, estimator))
    return explain(method, model, x, y, *args, **params)


@shortcut
def smoothgrad_squared(
    model: Model, x: Any, y: Any = None, *args: Any, **params: Any
) -> AnyExplanation:
    """Return the chosen logits and their SmoothGrad-squared maps.

        maps = normalize( mean_c 1/n sum_s (d f(x + sigma eps_s) / d x_c)^2 )

    Before normalisation, maps are in squared units.

    Reference: Hooker et al., 2019, https://arxiv.org/abs/1806.10758
    """
    _check_statistic("smoothgrad_squared", params)
    return smoothgrad(model, x, y, *args, statistic="square", **params)


@shortcut
def vargrad(
    model: Model, x: Any, y: Any = None, *args: Any, **params: Any
) -> AnyExplanation:
    """Return the chosen logits and their VarGrad maps.

        maps = normalize( mean_c var_s d f(x + sigma eps_s) / d x_c )

    Before normalisation, maps are in squared units.

    Reference: Adebayo et al., 2018, https://arxiv.org/abs/1810.03307
    """
    _check_statistic("vargrad", params)
    return smoothgrad(model, x, y, *args, statistic="variance", **params)


def _signature() -> inspect.Signature:
    """Return the signature of ``smoothgrad`` with all parameters of ``explain``."""
    every = inspect.signature(smoothgrad).parameters.values()
    own = [each for each in every if each.kind is each.KEYWORD_ONLY]
    names = [each.name for each in own]
    options = options_of_explain(return_stats=True)
    others = [each for each in options if each.name not in names]
    return joined_signature([*own, *others, *axis_parameters()], {})


def _without_statistic(signature: inspect.Signature) -> inspect.Signature:
    every = signature.parameters.values()
    return signature.replace(parameters=[x for x in every if x.name != "statistic"])


def _title(statistic: Statistic, estimator: EstimatorChoice) -> Callable[[Model], str]:
    """Return the title of the maps, with the estimator where there are several."""
    names = {"square": "smoothgrad_squared", "variance": "vargrad"}
    if statistic in names:
        return title(names[statistic], None)
    return title("smoothgrad", estimator)


def _amounts(noise: Amount | None, level: Amount) -> dict[str, Any]:
    """Return the amount of noise that was given, or the default level.

    Both are passed on, to be refused, if both were given.
    """
    if noise is None:
        return {"noise_level": level}
    given = {} if isinstance(level, Default) else {"noise_level": level}
    return {"noise": noise, **given}


def _check_names(params: dict[str, Any]) -> None:
    options = [each.name for each in options_of_explain(return_stats=True)]
    own = [name for name in _SIGNATURE.parameters if name not in options]
    check_parameters("smoothgrad", params, own, options)


def _check_estimated(given: dict[str, Any]) -> None:
    if refused := given_for_samples(given):
        raise ValueError(
            "`estimator` must be 'sampled' with parameters that only `smooth` takes; "
            f"received {', '.join(refused)}."
        )


def _check_statistic(function: str, params: dict[str, Any]) -> None:
    if "statistic" in params:
        raise TypeError(
            f"`statistic` must not be given to {function!r}, which chooses it: call "
            f"`smoothgrad`; received {params['statistic']!r}."
        )


def finished(postprocessing: Postprocessing | None, maps: Tensor) -> Tensor:
    """Return |maps| (B, H, W, C, K) averaged over the channels, and postprocessed."""
    return postprocess(
        reduce_channels(ops.abs(maps), ops.mean, axis=-2), postprocessing
    )


_SIGNATURE = _signature()
smoothgrad.__signature__ = _SIGNATURE  # type: ignore[attr-defined]
for _function in (smoothgrad_squared, vargrad):
    _function.__signature__ = _without_statistic(_SIGNATURE)  # type: ignore[attr-defined]
