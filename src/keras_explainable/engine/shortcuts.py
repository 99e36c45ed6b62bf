"""Methods with their usual postprocessing, in one call."""

import inspect
from functools import partial
from typing import Any

from keras import ops

from keras_explainable import filters
from keras_explainable.engine.explain import explain, partial_explain
from keras_explainable.engine.postprocessing import Postprocessing, postprocess
from keras_explainable.engine.results import Result
from keras_explainable.execution.method_checks import (
    check_parameters,
    keyword_parameters,
    parameters_after,
    shortcut,
)
from keras_explainable.inspection.axes import Axes
from keras_explainable.methods import attention, cams, gradient, meta, perturbation
from keras_explainable.methods.gradient.input_gradients import (
    SIGNED_GRADIENTS,
    reduce_channels,
)
from keras_explainable.methods.gradient.smooth_gradients import DEFAULT_LEVEL
from keras_explainable.sampling.noise import Amount, Default
from keras_explainable.types import Model, Tensor

_normalize = {"postprocessing": filters.normalize}
_absolute = {"postprocessing": filters.absolute_normalize}
_positive = {"postprocessing": filters.positive_normalize}

gradients = partial_explain(gradient.gradients, **_normalize)
guided_gradients = partial_explain(gradient.guided_gradients, **_normalize)
full_gradients = partial_explain(gradient.full_gradients, **_normalize)
input_x_gradient = partial_explain(gradient.input_x_gradient, **_absolute)
integrated_gradients = partial_explain(gradient.integrated_gradients, **_absolute)
expected_gradients = partial_explain(gradient.expected_gradients, **_absolute)

cam = partial_explain(cams.cam, **_positive)
gradcam = partial_explain(cams.gradcam, **_positive)
gradcampp = partial_explain(cams.gradcampp, **_positive)
hirescam = partial_explain(cams.hirescam, **_positive)
layercam = partial_explain(cams.layercam, **_positive)
scorecam = partial_explain(cams.scorecam, **_positive)
minmaxcam = partial_explain(cams.minmaxcam, **_positive)
d_minmaxcam = partial_explain(cams.d_minmaxcam, **_positive)
minmaxgradcam = partial_explain(cams.minmaxgradcam, **_positive)
d_minmaxgradcam = partial_explain(cams.d_minmaxgradcam, **_positive)

attention_rollout = partial_explain(attention.attention_rollout, **_normalize)
gradient_attention_rollout = partial_explain(
    attention.gradient_attention_rollout, **_normalize
)
transformer_attribution = partial_explain(
    attention.transformer_attribution, **_normalize
)

occlusion = partial_explain(perturbation.occlusion, **_positive)
rise = partial_explain(perturbation.rise, **_normalize)


@shortcut
def smoothgrad(
    model: Model,
    x: Any,
    y: Any = None,
    *,
    repetitions: int = 50,
    noise_level: Amount = DEFAULT_LEVEL,
    seed: int | None = 0,
    estimator: str = "sampled",
    postprocessing: Postprocessing | None = filters.normalize,
    **params: Any,
) -> Result:
    """Return the chosen logits and their SmoothGrad maps in the paper's form.

        maps = normalize( mean_c | 1/n sum_s d f(x + sigma eps_s) / d x_c | )

    Signed gradients are averaged for each channel. Their absolute values are then
    averaged over the channels.

    Args:
        model: Keras model. Its logits are explained, as in ``explain``.
        x: Images (N, H, W, C), or a data set, as in ``explain``.
        y: Units to explain, (N, K) or (N,). None explains every unit.
        repetitions: Number of noisy copies of each image.
        noise_level: Sigma, as a fraction of each image's own maximum - minimum; an
            alternative to ``noise``, sigma in units of the input.
        seed: Integer >= 0, or None for fresh noise.
        estimator: "sampled"; or "slopes" or "hybrid", which need fewer repetitions, as
            described in ``ke.methods.gradient.smooth_gradients``. Both accept the
            parameter ``noise`` of ``smooth``, and "hybrid" also ``tolerance``.
        postprocessing: Function applied to the maps (N, H, W, K). None leaves them in
            units of logit per unit of input.
        **params: Parameters of ``ke.methods.meta.smooth`` and of ``explain``.

    Returns:
        ``logits`` (N, K) and ``maps`` (N, H, W, K) from 0 to 1, as NumPy arrays.

    Reference: Smilkov et al., 2017, https://arxiv.org/abs/1706.03825
    """
    _, *of_smooth = inspect.signature(meta.smooth).parameters
    every = [*keyword_parameters(smoothgrad), *of_smooth, *Axes._fields]
    own = list(dict.fromkeys(every))
    check_parameters("smoothgrad", params, own, parameters_after(explain, "y"))
    names = params.keys() & {*of_smooth}
    sampling = {name: params.pop(name) for name in names}
    if "noise" not in sampling or not isinstance(noise_level, Default):
        sampling["noise_level"] = noise_level
    sampling |= {"repetitions": repetitions, "seed": seed}
    params["postprocessing"] = partial(_finish, postprocessing)
    if estimator == "sampled":
        method = meta.smooth(SIGNED_GRADIENTS, **sampling)
        return explain(method, model, x, y, **params)
    _check_estimated(sampling)
    method = partial(gradient.smooth_gradients, estimator=estimator, **sampling)
    return explain(method, model, x, y, **params)


def _check_estimated(sampling: dict[str, Any]) -> None:
    known = inspect.signature(gradient.smooth_gradients).parameters
    if refused := sorted(sampling.keys() - known):
        raise ValueError(
            "`estimator` must be 'sampled' with parameters that only `smooth` takes; "
            f"received {', '.join(refused)}."
        )


@shortcut
def smoothgrad_squared(
    model: Model, x: Any, y: Any = None, *, seed: int | None = 0, **params: Any
) -> Result:
    """Return the chosen logits and their SmoothGrad-squared maps.

        maps = normalize( mean_c 1/n sum_s (d f(x + sigma eps_s) / d x_c)^2 )

    Arguments and results are those of ``smoothgrad``. Before normalisation, maps are
    in squared units.

    Reference: Hooker et al., 2019, https://arxiv.org/abs/1806.10758
    """
    _check_statistic("smoothgrad_squared", params)
    return smoothgrad(model, x, y, seed=seed, statistic="square", **params)


@shortcut
def vargrad(
    model: Model, x: Any, y: Any = None, *, seed: int | None = 0, **params: Any
) -> Result:
    """Return the chosen logits and their VarGrad maps.

        maps = normalize( mean_c var_s d f(x + sigma eps_s) / d x_c )

    Arguments and results are those of ``smoothgrad``. Before normalisation, maps are
    in squared units.

    Reference: Adebayo et al., 2018, https://arxiv.org/abs/1810.03307
    """
    _check_statistic("vargrad", params)
    return smoothgrad(model, x, y, seed=seed, statistic="variance", **params)


def _check_statistic(function: str, params: dict[str, Any]) -> None:
    if "statistic" in params:
        raise TypeError(
            f"`statistic` must not be given to {function!r}, which chooses it: call "
            f"`smoothgrad`; received {params['statistic']!r}."
        )


def _finish(postprocessing: Postprocessing | None, maps: Tensor) -> Tensor:
    """Average |maps| (B, H, W, C, K) over the channels, then postprocess them."""
    return postprocess(
        reduce_channels(ops.abs(maps), ops.mean, axis=-2), postprocessing
    )
