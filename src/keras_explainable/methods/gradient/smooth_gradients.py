"""SmoothGrad of signed gradients, by samples, by mean slopes, or by both."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal, get_args

from keras_explainable.common import checks
from keras_explainable.common.warnings import Once, warn
from keras_explainable.execution.model_preparation import prepares_model
from keras_explainable.inspection.axes import along_axes
from keras_explainable.methods.gradient import input_gradients
from keras_explainable.methods.slopes import linearized_network
from keras_explainable.methods.slopes.hybrid_estimator import estimate_by_slopes
from keras_explainable.sampling import averaging_loop
from keras_explainable.sampling import noise as noises
from keras_explainable.sampling.noise import DEFAULT, Amount, Default, Noise
from keras_explainable.sampling.noise_warnings import warn_of_noise
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.types import Model, Tensor

#: Sigma as a fraction of each input's range, where none is given.
DEFAULT_LEVEL = Default(0.15)

#: Ways to estimate the mean gradient under noise.
Estimator = Literal["sampled", "slopes", "hybrid"]
ESTIMATORS = get_args(Estimator)

#: The fewest repetitions: one pair for slopes, two to estimate the error of "hybrid".
FEWEST = {"slopes": 2, "hybrid": 4}


def _prepare(model: Model, params: dict[str, Any]) -> Model:
    if params.get("estimator", "sampled") == "sampled":
        return model
    return linearized_network.exposed_model(model) or model


@along_axes
@prepares_model(_prepare)
@averaging_loop.looping_method
def smooth_gradients(  # noqa: D417
    call: averaging_loop.MethodCall,
    *,
    repetitions: int = 64,
    noise: Amount | None = None,
    noise_level: Amount = DEFAULT_LEVEL,
    seed: int | None = 0,
    estimator: Estimator = "sampled",
    tolerance: float | None = None,
    channel_reduction: Callable[..., Tensor] | None = None,
) -> tuple[Any, ...]:
    """Return the logits and the mean of their signed gradients under noise.

        maps[b, ..., k] = E[ d f_{indices[b, k]}(x_b + sigma eps) / d x_b ]

    Args:
        model: Keras model with one input.
        inputs: Inputs (B, H, W, C), or (B, ..., C) of any rank.
        indices: Units to explain (B, K), or (B,) read as (B, 1); None for every unit.
        repetitions: Number n of noisy copies of each input; even except for "sampled".
        noise: Standard deviation sigma in units of the input; a number, or one for each
            channel.
        noise_level: Sigma as a fraction of each input's own maximum - minimum; an
            alternative to ``noise``.
        seed: Integer >= 0, or None for fresh noise.
        estimator: "sampled", the mean of the copies' gradients, which is the usual
            SmoothGrad; "slopes", a single gradient of a network whose nonlinear steps
            have their mean slopes under the noise, with little variance and some bias;
            or "hybrid", which weights both by their estimated errors and converges to
            "sampled" with more repetitions. "hybrid" takes gradients of copies 17 to 48
            only where they lower the estimated error more, in the same time, than more
            copies without gradients, which improve the slopes.
        tolerance: Relative error (norm of the standard error over norm of the map) at
            which an image has converged; ``repetitions`` is then the maximum. Not
            allowed for "slopes", whose error is not known.
        channel_reduction: Function called with ``axis=`` of the channels, or None to
            keep them.

    Returns:
        ``logits`` (B, K) of the clean inputs, and signed ``maps`` (B, H, W, C, K) in
        units of output per unit of input. "slopes" and "hybrid" draw pairs x + e and
        x - e. A model whose layers are not known, such as a subclassed one, is sampled,
        with a warning. With ``return_stats=True``, ``Stats`` come third. For "hybrid"
        they hold an estimate of the norm of the error, bias included, spread evenly
        over the values; for "slopes" the error is infinite, as it is not known.

    Raises:
        ValueError: If a parameter is not as described, if both ``noise`` and
            ``noise_level`` are given, or if the model has several inputs.

    Reference: Smilkov et al., 2017, https://arxiv.org/abs/1706.03825
    """
    checks.one_of("estimator", estimator, ESTIMATORS)
    model, once = _prepare(call.model, {"estimator": estimator}), Once()
    if estimator != "sampled" and (reason := _unknown_slopes(model)):
        warn(f"{reason}; estimator='sampled' is used instead of {estimator!r}.")
        estimator = "sampled"
    in_pairs = estimator != "sampled"
    noisy = _checked_noise(noise, noise_level, in_pairs)
    _check_sampling(estimator, repetitions, tolerance)
    asked = Sampling(repetitions, seed, tolerance=tolerance, copies=noisy.copies)
    sampling, spans = asked.with_seed(), noisy.spans(call.model, call.inputs)
    sigma = noisy.scales(call.model, call.inputs, spans)
    warn_of_noise(once, noisy, call, sigma, spans)
    call = replace(call, model=model)
    perturb = averaging_loop.noisy_copy_source(call, noisy, sampling, sigma)
    if in_pairs:
        hybrid = estimator == "hybrid"
        accumulator = estimate_by_slopes(call, perturb, sampling, hybrid)
    else:
        accumulator = averaging_loop.average_over_copies(
            call, input_gradients.SIGNED_GRADIENTS, perturb, sampling
        )
    once.warn("error", accumulator.unconverged_warning(call.ids != noises.PADDING))
    facts = noisy.facts | {"method": "smooth_gradients", "estimator": estimator}
    logits, maps, *stats = averaging_loop.method_result(call, accumulator, facts, sigma)
    maps = input_gradients.reduce_channels(maps, channel_reduction, axis=-2)
    return logits, maps, *stats


def _checked_noise(amount: Amount | None, level: Amount, in_pairs: bool) -> Noise:
    if amount is None:
        return Noise(DEFAULT, level, antithetic=in_pairs)
    given = None if isinstance(level, Default) else level
    return Noise(amount, given, antithetic=in_pairs)


def _unknown_slopes(model: Model) -> str:
    """Return why a model's slopes cannot be estimated; "" if they can."""
    name = getattr(model, "name", model)
    if not linearized_network.is_exposed(model):
        return f"The layers of {name!r} are not known"
    if model.required_rows is not None:
        return f"{name!r} works with a batch of {model.required_rows} only"
    return ""


def _check_sampling(estimator: str, repetitions: int, tolerance: float | None) -> None:
    checks.integer("repetitions", repetitions, FEWEST.get(estimator, 1))
    if estimator in FEWEST and repetitions % 2:
        raise ValueError(
            f"`repetitions` must be even with estimator={estimator!r}; received "
            f"{repetitions}."
        )
    if estimator == "slopes" and tolerance is not None:
        raise ValueError(
            "`tolerance` must be None with estimator='slopes', whose error is not "
            f"known; received {tolerance}."
        )
