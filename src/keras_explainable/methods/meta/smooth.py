"""SmoothGrad: any method, averaged over noisy copies of the inputs."""

from collections.abc import Callable
from functools import partial
from typing import Any

from keras_explainable.common.warnings import Once
from keras_explainable.execution.compilation import describe, display_name
from keras_explainable.execution.method_checks import check_method
from keras_explainable.execution.model_preparation import (
    prepared_model,
    prepares_model,
    shows_layers,
)
from keras_explainable.inspection.axes import along_axes
from keras_explainable.network.user_form import preprocessed
from keras_explainable.sampling import averaging_loop
from keras_explainable.sampling.noise import DEFAULT, PADDING, Amount, Noise
from keras_explainable.sampling.noise_warnings import warn_of_noise
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.standard_error import Statistic
from keras_explainable.types import Method, Tensor


def smooth(
    method: Method,
    repetitions: int = 20,
    noise: Amount = DEFAULT,
    *,
    noise_level: Amount | None = None,
    seed: int | None = None,
    statistic: Statistic = "mean",
    tolerance: float | None = None,
    start: int = 0,
    antithetic: bool = False,
    preprocess: Callable[[Tensor], Tensor] | None = None,
    clip: tuple[float, float] | None = None,
) -> Method:
    """Return ``method`` averaged over noisy copies of the input (SmoothGrad).

        maps = 1/n sum_s method(x + sigma * eps_s),   eps_s ~ N(0, I)

    The maps that ``method`` returns are averaged as they are: ``smooth(gradients)``
    averages absolute gradients. The paper averages signed ones, which are those of
    ``functools.partial(gradients, gradient_filter=None, channel_reduction=None)``.

    Args:
        method: Explanation method to wrap: a function, a ``functools.partial``,
            another meta method, or a ``tf.function``.
        repetitions: Number n of noisy copies of each input; none of them is the input
            itself.
        noise: Standard deviation sigma in units of the input; a number, or one for each
            channel. For several inputs, also a dictionary of these by name.
        noise_level: Sigma as a fraction of each input's own maximum - minimum, as in
            the paper; an alternative to ``noise``.
        seed: Integer >= 0. The noise of a copy depends only on the seed, the image's id
            and the number of the repetition. None draws a fresh seed for each call.
        statistic: "mean"; "square", the mean of the squares (SmoothGrad-squared); or
            "variance", with n - 1 (VarGrad).
        tolerance: Relative error (norm of the standard error over norm of the map)
            at which an image has converged; ``repetitions`` is then the maximum.
        start: Number of the first repetition. Starting where an earlier run with the
            same seed ended continues that run: see ``Stats.merged``.
        antithetic: Whether copies come in pairs, x + e and x - e. Standard errors count
            a pair as one draw.
        preprocess: Function applied to the noisy copies, such as the
            ``preprocess_input`` of ``keras.applications``. Noise and inputs are then in
            the units of its input, such as 0 to 255, and maps are derivatives with
            respect to its output.
        clip: Range that noisy copies are clipped to, before ``preprocess``. This
            biases the noise towards the middle of the range.

    Returns:
        A method with the same signature. Logits (B, K) are those of the clean input;
        maps have the shape of ``method``'s. It also takes ``rows``, the largest number
        of copies that run through the network at once; ``ids``, an integer for each
        input, by default its position; ``progress``, called with the numbers of rows
        done and of all rows; and ``return_stats``, whether to return ``Stats`` as a
        third value. Memory does not grow with ``repetitions``.

    Raises:
        ValueError: If ``repetitions < 1``, if sigma or the seed is negative, if both
            ``noise`` and ``noise_level`` are given, or if another parameter is not as
            described.

    Reference: Smilkov et al., 2017, https://arxiv.org/abs/1706.03825;
        variance: Adebayo et al., 2018, https://arxiv.org/abs/1810.03307;
        squares: Hooker et al., 2019, https://arxiv.org/abs/1806.10758
    """
    made_by = partial(smooth, **locals())
    check_method(method)
    noisy = Noise(noise, noise_level, antithetic, preprocess, clip)
    asked = Sampling(repetitions, seed, start, statistic, tolerance, noisy.copies)
    once = Once()

    def smoothed(call: averaging_loop.MethodCall, **params: Any) -> tuple[Any, ...]:
        sampling = asked.with_seed()
        spans = noisy.spans(call.model, call.inputs)
        sigma = noisy.scales(call.model, call.inputs, spans)
        warn_of_noise(once, noisy, call, sigma, spans)
        perturb = averaging_loop.noisy_copy_source(call, noisy, sampling, sigma)
        accumulator = averaging_loop.average_over_copies(
            call, method, perturb, sampling, params=params
        )
        once.warn("error", accumulator.unconverged_warning(call.ids != PADDING))
        given = describe(partial(dict, **params))
        facts = noisy.facts | {"method": describe(method), "params": given}
        return averaging_loop.method_result(call, accumulator, facts, sigma)

    smoothed.__name__ = f"smooth({display_name(method)})"
    hook = prepares_model(
        lambda model, params: prepared_model(method, model, params),
        shows_layers=shows_layers(method),
    )
    prepare = preprocess and partial(preprocessed, preprocess)
    looping = averaging_loop.looping_method(
        smoothed, prepare, several=True, inner=method
    )
    looping.made_by = made_by  # type: ignore[attr-defined]
    return along_axes(hook(looping))
