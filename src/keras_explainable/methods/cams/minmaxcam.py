"""MinMax-CAM and its variants: what speaks for a class, and not for others in view."""

from collections.abc import Callable
from functools import partial
from typing import Any

from keras import ops

from keras_explainable.common import checks
from keras_explainable.common.structures import Nested
from keras_explainable.execution.model_preparation import prepares_model, takes_tokens
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.exposed_layers import exposed_outputs
from keras_explainable.inspection.find_calls import Endpoint
from keras_explainable.inspection.logits import gives_probabilities
from keras_explainable.inspection.targeted_model import check_no_target
from keras_explainable.methods.cams.cam import weigh_by_head, with_linear_head
from keras_explainable.methods.cams.gradcam import (
    Gradients,
    Prepare,
    Weigh,
    exposed,
    weigh_by_mean,
    weighted_maps,
)
from keras_explainable.types import Method, Model, Tensor

#: Function of the gradients of a unit, of the mean over other detected units, and of
#: the mean over all of them, to those that take their place.
Contrast = Callable[[Tensor, Tensor, Tensor], Tensor]


def _contrasting(
    contrast: Contrast,
    threshold: float,
    probability: Callable[[Tensor], Tensor],
    outputs: Tensor,
    pullback: Gradients,
) -> Gradients:
    """Return the function to gradients that contrast a unit with those detected.

    Args:
        contrast: How they are put together.
        threshold: Probability above which a unit is detected.
        probability: Function from the outputs to probabilities.
        outputs: Outputs (B, units).
        pullback: Function from derivatives by the units to those by the layers.
    """
    detected = ops.cast(probability(outputs) > threshold, outputs.dtype)
    count, of_detected = ops.sum(detected, axis=-1), pullback(detected)

    def gradients(one: Tensor) -> list[Tensor]:
        counts = ops.sum(one * detected, axis=-1)  # Whether the unit is one of them.

        def of_layer(own: Tensor, every: Tensor) -> Tensor:
            others = every - _along(counts, own) * own
            return contrast(
                own,
                others / _along(ops.maximum(count - counts, 1), own),
                every / _along(ops.maximum(count, 1), own),
            )

        return [*map(of_layer, pullback(one), of_detected)]

    return gradients


def _probability(model: Model) -> Callable[[Tensor], Tensor]:
    """Return the function from the outputs of an exposed model to probabilities."""
    graph, _ = exposed_outputs(model)
    return (lambda outputs: outputs) if gives_probabilities(graph) else ops.sigmoid


def _along(rows: Tensor, like: Tensor) -> Tensor:
    """Return numbers (B,) with as many axes as ``like`` (B, ...)."""
    return ops.reshape(rows, (-1, *(1,) * (len(like.shape) - 1)))


def _contrasted(weigh: Weigh, prepare: Prepare) -> Callable[[Contrast], Method]:
    """Return a decorator that makes a method of a contrast, with its docstring."""

    def prepare_all_units(model: Model, params: dict[str, Any]) -> Model:
        check_no_target(model)
        return prepare(model, params)

    def decorate(contrast: Contrast) -> Method:
        @takes_tokens
        @prepares_model(prepare_all_units, shows_layers=True)
        def method(
            model: Model,
            inputs: Tensor,
            indices: Tensor | None = None,
            *,
            layer: Endpoint | None = None,
            grid: tuple[int, ...] | None = None,
            skip_tokens: int | tuple[int, int] | None = None,
            threshold: float = 0.5,
        ) -> tuple[Tensor, Nested]:
            checks.number("threshold", threshold, 0)
            params = {"layer": layer, "grid": grid, "skip_tokens": skip_tokens}
            model = prepare(model, params)
            probability = _probability(model)
            gradients_of = partial(_contrasting, contrast, threshold, probability)
            return weighted_maps(weigh, model, inputs, indices, gradients_of)

        for name in ("__name__", "__qualname__", "__doc__"):
            setattr(method, name, getattr(contrast, name))
        return along_axes(method)

    return decorate


@_contrasted(weigh_by_head, with_linear_head)
def minmaxcam(own: Tensor, others: Tensor, every: Tensor) -> Tensor:
    """Return the logits and their MinMax-CAM maps, for networks of several labels.

        maps = sum_c w_c A_c,   w_c = W_uc - mean_v W_vc

    W are the weights of ``cam``, u is the explained unit, and v are the other detected
    units: those with sigmoid(logit) > threshold. Without any, maps are as of ``cam``.

    Args:
        model: Model as for ``gradcam``. If it does not end in a softmax or sigmoid,
            its outputs are taken for logits.
        inputs: Images (B, H, W, C).
        indices: Units to explain (B, K), or (B,); None explains every unit.
        threshold: Probability above which a unit is detected.

    Other arguments are those of ``gradcam``.

    Returns:
        ``logits`` (B, K) and signed ``maps`` (B, h, w, K), as for ``gradcam``.

    Raises:
        ValueError: If the units are not a linear function of pooled activations, or
            ``y`` is a target, of which the other units are not known.

    Reference: David et al., 2022, https://arxiv.org/abs/2201.07243
    """
    return own - others


@_contrasted(weigh_by_head, with_linear_head)
def d_minmaxcam(own: Tensor, others: Tensor, every: Tensor) -> Tensor:
    """Return the logits and their D-MinMax-CAM maps, which treat signs differently.

        maps = sum_c w_c A_c
        w_c = relu(W_uc) - relu(mean_v W_vc) + min(0, mean_d W_dc)

    v are the other detected units, and d are all of them. What speaks for others is
    subtracted; what speaks against u alone is not.

    Arguments, results and errors are those of ``minmaxcam``.

    Reference: David et al., 2022, https://arxiv.org/abs/2201.07243
    """
    return _by_sign(own, others, every)


@_contrasted(weigh_by_mean, exposed)
def minmaxgradcam(own: Tensor, others: Tensor, every: Tensor) -> Tensor:
    """Return the logits and their MinMax-Grad-CAM maps, for any head.

        maps = sum_c w_c A_c,   w_c = mean_hw ( df_u/dA_c - mean_v df_v/dA_c )

    Arguments and results are those of ``minmaxcam``.

    Raises:
        ValueError: If the layer does not exist, or inner layers are not known.

    Reference: David et al., 2022, https://arxiv.org/abs/2201.07243
    """
    return own - others


@_contrasted(weigh_by_mean, exposed)
def d_minmaxgradcam(own: Tensor, others: Tensor, every: Tensor) -> Tensor:
    """Return the logits and their D-MinMax-Grad-CAM maps, for any head.

        maps = sum_c w_c A_c
        w_c = mean_hw ( relu(g_u) - relu(mean_v g_v) + min(0, mean_d g_d) )
        g_u = df_u/dA_c

    Arguments, results and errors are those of ``minmaxgradcam``.

    Reference: David et al., 2022, https://arxiv.org/abs/2201.07243
    """
    return _by_sign(own, others, every)


def _by_sign(own: Tensor, others: Tensor, every: Tensor) -> Tensor:
    return ops.relu(own) - ops.relu(others) + ops.minimum(every, 0)
