"""Gradients along a path from a baseline to the input."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import filters
from keras_explainable.common import checks
from keras_explainable.common.structures import (
    Nested,
    flatten,
    map_structure,
    row_count,
    take_rows,
)
from keras_explainable.common.warnings import warn
from keras_explainable.methods.gradient.input_gradients import (
    SIGNED_GRADIENTS,
    reduce_channels,
)
from keras_explainable.network import output_units
from keras_explainable.network.model_inputs import (
    as_array,
    as_inputs,
    check_finite,
    map_inputs_with,
)
from keras_explainable.sampling import noise
from keras_explainable.sampling.averaging_loop import (
    ROWS,
    MethodCall,
    average_over_copies,
    looping_method,
)
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.schedule import Copies
from keras_explainable.types import Model, Tensor

#: Quadrature rules, which give points in 0..1 and their weights.
RULES = ("gauss-legendre", "middle")

#: Completeness gap allowed without a warning, relative to the larger output.
ALLOWED_GAP = 0.05

Baseline = float | str | Any


@partial(looping_method, samples=False, several=True)
def integrated_gradients(
    call: MethodCall,
    *,
    baseline: Baseline = 0.0,
    n_steps: int = 50,
    rule: str = "gauss-legendre",
    channel_reduction: Callable[..., Tensor] | None = ops.sum,
) -> tuple[Any, ...]:
    """Return the logits and their integrated gradients.

        maps = sum_c (x - b) * integral_0^1 df/dx (b + a (x - b)) da

    They add up to f(x) - f(b), except for the error of the sum that approximates the
    integral (``completeness_gap``). A warning is given if that error exceeds 5 % of
    f(x), or of f(b) if that is larger.

    Args:
        baseline: The input b that shows nothing: a number; an image (H, W, C); or
            "blur", each input without its details. For a model with several inputs, a
            dictionary of these by name.
        n_steps: Number of points on the path.
        rule: "gauss-legendre", or "middle" for the midpoint rule.
        channel_reduction: Function called with ``axis=-1``, or None to keep the
            channels.

    Returns:
        ``logits`` (B, K), and ``maps`` (B, H, W, K), or (B, H, W, C, K) with
        ``channel_reduction=None``, signed, in units of the output.

    Raises:
        ValueError: If a parameter is not as described.

    Reference: Sundararajan et al., 2017, https://arxiv.org/abs/1703.01365
    """
    points, weights = _rule(rule, n_steps)
    baselines = _baselines(baseline, call.model, call.inputs)
    differences = map_structure(ops.subtract, call.inputs, baselines)

    def perturbed(copies: Copies) -> tuple[Nested, Any]:
        def point(start: Tensor, difference: Tensor) -> Tensor:
            return start + per_row(points[copies.draw], difference) * difference

        return map_structure(
            point,
            take_rows(baselines, copies.image),
            take_rows(differences, copies.image),
        ), None

    def counted(maps: Nested, copies: Copies) -> Nested:
        def weighted(part: Tensor, difference: Tensor) -> Tensor:
            weight = per_row(n_steps * weights[copies.draw], difference)
            return reduced_product(part, weight * difference, channel_reduction)

        return map_structure(weighted, maps, take_rows(differences, copies.image))

    accumulator = average_over_copies(
        call, SIGNED_GRADIENTS, perturbed, Sampling(n_steps), counted=counted
    )
    outputs = output_units.forward(call.model, baselines, call.rows)
    _warn_of_gap(
        call, accumulator.maps, output_units.gather_units(outputs, call.indices)
    )
    return accumulator.logits, accumulator.maps


def completeness_gap(
    model: Model,
    inputs: Any,
    indices: Tensor | None,
    maps: Nested,
    *,
    baseline: Baseline = 0.0,
    rows: int = ROWS,
) -> Tensor:
    """Return the gap of integrated gradients: sum of maps - (f(x) - f(baseline)).

    The gap (B, K) is in units of the output. It is small compared with f(x) - f(b) if
    ``n_steps`` was large enough.

    Args:
        model: Model with the outputs that were explained: for maps of ``ke.explain``,
            ``ke.inspection.logits_model(model)``.
        inputs: Inputs (B, H, W, C).
        indices: The units explained (B, K), or (B,); None for every unit.
        maps: Maps (B, ..., K) of each input, not normalized.
        baseline: The baseline that ``integrated_gradients`` was given.
        rows: Largest number of rows that run through the network at once.

    Raises:
        ValueError: If a parameter does not fit.
    """
    inputs = as_inputs(model, inputs)
    outputs = output_units.forward(model, inputs, rows)
    at_baseline = output_units.forward(model, _baselines(baseline, model, inputs), rows)
    indices = output_units.as_indices(indices, row_count(inputs), outputs.shape[-1])
    total = _total(
        map_structure(lambda x: ops.convert_to_tensor(as_array("maps", x)), maps)
    )
    return total - output_units.gather_units(outputs - at_baseline, indices)


def _rule(rule: str, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    checks.integer("n_steps", n_steps, 1)
    checks.one_of("rule", rule, RULES)
    if rule == "middle":
        return (np.arange(n_steps) + 0.5) / n_steps, np.full(n_steps, 1 / n_steps)
    points, weights = np.polynomial.legendre.leggauss(n_steps)
    return (points + 1) / 2, weights / 2


def _baselines(baseline: Baseline, model: Model, inputs: Nested) -> Nested:
    """Return a baseline for each row of each input, in the shape of the inputs."""
    return map_inputs_with(model, _baseline, "baseline", baseline, inputs)


def _baseline(baseline: Baseline, inputs: Tensor) -> Tensor:
    """Return a baseline for each row of one input (B, H, W, C)."""
    if isinstance(baseline, str):
        if baseline != "blur":
            raise ValueError(
                f"`baseline` must be a number, images or 'blur'; received {baseline!r}."
            )
        return filters.blur(inputs, min(inputs.shape[1:-1]) / 10)
    given, shape = as_array("baseline", baseline), tuple(inputs.shape[1:])
    if tuple(given.shape) not in ((), shape):
        raise ValueError(
            f"`baseline` must be a number or have the inputs' shape {shape}; received "
            f"shape {tuple(given.shape)}."
        )
    check_finite(given, "baseline")
    given = ops.cast(ops.convert_to_tensor(given), inputs.dtype)
    return ops.broadcast_to(given, inputs.shape)


def per_row(values: np.ndarray, like: Tensor) -> Tensor:
    """Return ``values`` (R,) in a shape that broadcasts with inputs (R, ...)."""
    shape = (len(values), *(1,) * (len(like.shape) - 1))
    return ops.cast(values.reshape(shape), like.dtype)


def reduced_product(maps: Tensor, factor: Tensor, channel_reduction: Any) -> Tensor:
    """Return maps (R, ..., C, K) times a factor (R, ..., C), reduced over channels."""
    return reduce_channels(maps * factor[..., None], channel_reduction, axis=-2)


def _total(maps: Nested) -> Tensor:
    """Return the sum of each map (B, K), over all inputs."""
    axes = [tuple(range(1, len(x.shape) - 1)) for x in flatten(maps)]
    return sum(map(ops.sum, flatten(maps), axes))


def _warn_of_gap(call: MethodCall, maps: Nested, at_baseline: Tensor) -> None:
    """Warn if maps do not add up to f(x) - f(baseline), whose last term is given."""
    live = call.ids != noise.PADDING
    total, logits, least = (
        ops.convert_to_numpy(x)[live] for x in (_total(maps), call.logits, at_baseline)
    )
    gap = np.abs(total - (logits - least))
    excess = gap - ALLOWED_GAP * np.maximum(np.abs(logits), np.abs(least))
    if (excess > 0).any():
        worst = np.unravel_index(np.argmax(excess), gap.shape)
        warn(
            f"Integrated gradients do not add up: the sum of a map is "
            f"{total[worst]:.3g}, but f(x) - f(baseline) is "
            f"{(logits - least)[worst]:.3g}. Increase `n_steps`."
        )
