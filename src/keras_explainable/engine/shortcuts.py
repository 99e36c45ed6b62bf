"""Methods with their conventional postprocessing, in one call."""

from functools import partial
from typing import Any

from keras import ops

from keras_explainable import filters
from keras_explainable.engine.explaining import Result, explain, partial_explain
from keras_explainable.engine.postprocessing import Postprocessing, postprocess
from keras_explainable.methods import gradient, meta
from keras_explainable.types import Model, Tensor

#: Gradients as they are: signed, (B, H, W, C, K).
SIGNED_GRADIENTS = partial(
    gradient.gradients, gradient_filter=None, channel_reduction=None
)

gradients = partial_explain(gradient.gradients, postprocessing=filters.normalize)


def smoothgrad(
    model: Model,
    x: Any,
    y: Any = None,
    *,
    repetitions: int = 50,
    noise_level: float = 0.15,
    seed: int | None = 0,
    postprocessing: Postprocessing | None = filters.normalize,
    **params: Any,
) -> Result:
    """Return the chosen logits and their SmoothGrad maps in the paper's form.

        maps = normalize( mean_c | 1/n sum_s d f(x + sigma eps_s) / d x_c | )

    Signed gradients are averaged for each channel; only then come the absolute value
    and the mean over the channels.

    Args:
        model: Keras model; logits are explained, as in ``explain``.
        x: (N, H, W, C), or a data set, as in ``explain``.
        y: units to explain (N, K) or (N,); None explains every unit.
        repetitions: number of noisy copies of each image.
        noise_level: sigma as a fraction of each image's own maximum - minimum.
        seed: integer >= 0, or None for fresh noise.
        postprocessing: applied to the maps (N, H, W, K); None leaves them in units of
            logit per unit of input.
        **params: as in ``explain``.

    Returns:
        ``logits`` (N, K) and ``maps`` (N, H, W, K) in 0..1, as NumPy arrays.

    Reference: Smilkov et al., 2017, https://arxiv.org/abs/1706.03825
    """
    method = meta.smooth(
        SIGNED_GRADIENTS, repetitions, noise_level=noise_level, seed=seed
    )
    finish = partial(_finish, postprocessing)
    return explain(method, model, x, y, postprocessing=finish, **params)


def _finish(postprocessing: Postprocessing | None, maps: Tensor) -> Tensor:
    """Reduce the channels of (B, H, W, C, K), then postprocess (B, H, W, K)."""
    return postprocess(ops.mean(ops.abs(maps), axis=-2), postprocessing)
