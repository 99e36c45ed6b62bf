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
from keras_explainable.execution.compilation import describe
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
    method_result,
)
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.schedule import Copies
from keras_explainable.types import Model, Tensor

#: Where the gradients are taken: points in 0..1 and their weights.
RULES = ("gauss-legendre", "middle")

#: What may be missing of f(x) - f(baseline) without a warning, as a part of the larger.
GAP = 0.05

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
    """Return the chosen units and their integrated gradients.

        maps = sum_c (x - b) * integral_0^1 df/dx (b + a (x - b)) da

    They add up to f(x) - f(b), but for the error of the sum that stands for the
    integral (``completeness_gap``). A warning tells when that is more than 5 % of f(x),
    or of f(b) if that is larger.

    Args:
        baseline: b, where nothing is seen: a number; an image (H, W, C); or "blur",
            the input without detail; a dictionary of these by name, for several inputs.
        n_steps: number of points on the path.
        rule: "gauss-legendre", or "middle" for the middles of equal parts.
        channel_reduction: called with ``axis=-1``, or None to keep the channels.

    Returns:
        ``logits`` (B, K), and ``maps`` (B, H, W, K), or (B, H, W, C, K) with
        ``channel_reduction=None``, signed, in units of the output.

    Raises:
        ValueError: if a parameter is not as described.

    Reference: Sundararajan et al., 2017, https://arxiv.org/abs/1703.01365
    """
    points, weights = _rule(rule, n_steps)
    start = _baselines(baseline, call.model, call.inputs)
    away = map_structure(ops.subtract, call.inputs, start)

    def perturbed(copies: Copies) -> tuple[Nested, Any]:
        def view(first: Tensor, way: Tensor) -> Tensor:
            return first + _column(points[copies.draw], way) * way

        return map_structure(
            view, take_rows(start, copies.image), take_rows(away, copies.image)
        ), None

    def counted(maps: Nested, copies: Copies) -> Nested:
        def weighted(part: Tensor, way: Tensor) -> Tensor:
            weight = _column(n_steps * weights[copies.draw], way)
            return _reduced(part, weight * way, channel_reduction)

        return map_structure(weighted, maps, take_rows(away, copies.image))

    accumulator = average_over_copies(
        call, SIGNED_GRADIENTS, perturbed, Sampling(n_steps), counted=counted
    )
    nothing = output_units.forward(call.model, start, call.rows)
    _warn_of_gap(
        call, accumulator.maps, output_units.gather_units(nothing, call.indices)
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
    """Return what integrated gradients miss (B, K): sum of maps - (f(x) - f(baseline)).

    In units of the output: small beside f(x) - f(b), if ``n_steps`` were enough.

    Args:
        model: of the outputs that were explained: for maps of ``ke.explain``,
            ``ke.inspection.logits_model(model)``.
        inputs: (B, H, W, C).
        indices: the units explained (B, K), or (B,); None for every unit.
        maps: (B, ..., K), not normalized, of each input.
        baseline: as it was for ``integrated_gradients``.
        rows: the most that go through the network at once.

    Raises:
        ValueError: if a parameter does not fit.
    """
    inputs = as_inputs(model, inputs)
    outputs = output_units.forward(model, inputs, rows)
    nothing = output_units.forward(model, _baselines(baseline, model, inputs), rows)
    indices = output_units.as_indices(indices, row_count(inputs), outputs.shape[-1])
    total = _total(
        map_structure(lambda x: ops.convert_to_tensor(as_array("maps", x)), maps)
    )
    return total - output_units.gather_units(outputs - nothing, indices)


@looping_method
def expected_gradients(
    call: MethodCall,
    *,
    data: Any,
    repetitions: int = 64,
    seed: int | None = None,
    tolerance: float | None = None,
    channel_reduction: Callable[..., Tensor] | None = ops.sum,
) -> tuple[Any, ...]:
    """Return the chosen units and their expected gradients.

        maps = mean_s sum_c (x - b_s) * df/dx (b_s + a_s (x - b_s))

    Integrated gradients, averaged over baselines b_s drawn from data, each with one
    point a_s on its path, uniform in 0..1.

    Args:
        data: (M, H, W, C), the images to draw baselines from.
        repetitions: number of draws for each input.
        seed: integer >= 0; None draws a fresh one for each call.
        tolerance: relative error at which an image is finished.
        channel_reduction: called with ``axis=-1``, or None to keep the channels.

    Returns:
        As for ``integrated_gradients``; and ``Stats`` as a third value if
        ``return_stats`` is asked for.

    Raises:
        ValueError: if a parameter is not as described.

    Reference: Erion et al., 2021, https://arxiv.org/abs/1906.10670
    """
    data = _as_data(data, call.inputs)
    sampling = Sampling(repetitions, seed, tolerance=tolerance).with_seed()

    def drawn(copies: Copies) -> tuple[Tensor, Tensor]:
        """Return the baselines, and how far the perturbed are on their ways."""
        keys = sampling.keys(call.ids[copies.image], copies.draw)
        chosen = keys[:, 0].astype("int64") * len(data) >> 32
        place = _column(keys[:, 1] / 2**32, call.inputs)
        return ops.take(data, chosen, axis=0), place

    def perturbed(copies: Copies) -> tuple[Tensor, Any]:
        start, place = drawn(copies)
        return start + place * (take_rows(call.inputs, copies.image) - start), None

    def counted(maps: Tensor, copies: Copies) -> Tensor:
        start, _ = drawn(copies)
        away = take_rows(call.inputs, copies.image) - start
        return _reduced(maps, away, channel_reduction)

    accumulator = average_over_copies(
        call, SIGNED_GRADIENTS, perturbed, sampling, counted=counted
    )
    facts = {"method": f"expected_gradients({describe(channel_reduction)})"}
    return method_result(call, accumulator, facts)


def _rule(rule: str, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
    checks.integer("n_steps", n_steps, 1)
    checks.one_of("rule", rule, RULES)
    if rule == "middle":
        return (np.arange(n_steps) + 0.5) / n_steps, np.full(n_steps, 1 / n_steps)
    points, weights = np.polynomial.legendre.leggauss(n_steps)
    return (points + 1) / 2, weights / 2


def _baselines(baseline: Baseline, model: Model, inputs: Nested) -> Nested:
    """Return a baseline for each input, in their shape."""
    return map_inputs_with(model, _baseline, "baseline", baseline, inputs)


def _baseline(baseline: Baseline, inputs: Tensor) -> Tensor:
    """Return a baseline for each input (B, H, W, C)."""
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


def _as_data(data: Any, inputs: Tensor) -> Tensor:
    data = ops.cast(ops.convert_to_tensor(as_array("data", data)), inputs.dtype)
    if tuple(data.shape[1:]) != tuple(inputs.shape[1:]) or not len(data):
        raise ValueError(
            f"`data` must have shape (M, ...) with images of {tuple(inputs.shape[1:])};"
            f" received {tuple(data.shape)}."
        )
    check_finite(data, "data")
    return data


def _column(values: np.ndarray, like: Tensor) -> Tensor:
    """Return ``values`` (R,) in a shape that multiplies inputs (R, ...)."""
    shape = (len(values), *(1,) * (len(like.shape) - 1))
    return ops.cast(values.reshape(shape), like.dtype)


def _reduced(maps: Tensor, factor: Tensor, channel_reduction: Any) -> Tensor:
    """Return maps (R, ..., C, K) times a factor (R, ..., C), reduced over channels."""
    return reduce_channels(maps * factor[..., None], channel_reduction, axis=-2)


def _total(maps: Nested) -> Tensor:
    """Return the sum of each map (B, K), over all inputs."""
    axes = [tuple(range(1, len(x.shape) - 1)) for x in flatten(maps)]
    return sum(map(ops.sum, flatten(maps), axes))


def _warn_of_gap(call: MethodCall, maps: Nested, nothing: Tensor) -> None:
    """Warn if maps do not add up to f(x) - f(baseline); the latter is ``nothing``."""
    live = call.ids != noise.PADDING
    total, found, least = (
        ops.convert_to_numpy(x)[live] for x in (_total(maps), call.logits, nothing)
    )
    gap = np.abs(total - (found - least))
    excess = gap - GAP * np.maximum(np.abs(found), np.abs(least))
    if (excess > 0).any():
        worst = np.unravel_index(np.argmax(excess), gap.shape)
        warn(
            f"Integrated gradients do not add up: one map's sum is {total[worst]:.3g} "
            f"where f(x) - f(baseline) is {(found - least)[worst]:.3g}. "
            "More `n_steps` help."
        )
