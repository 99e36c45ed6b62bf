"""Gradients along a path from a baseline to the input."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from keras import ops, tree

from keras_explainable.common import checks
from keras_explainable.common.structures import (
    Nested,
    flatten,
    is_float,
    map_structure,
    take_rows,
)
from keras_explainable.common.warnings import warn
from keras_explainable.inspection.axes import along_axes
from keras_explainable.methods.gradient import input_gradients
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS, per_row
from keras_explainable.network import dense_arrays, model_inputs, output_units
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.network.masked_steps import changeable_parts, where_shown
from keras_explainable.network.shown_values import blurred_shown
from keras_explainable.network.user_form import moved_array
from keras_explainable.sampling import averaging_loop, noise
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.schedule import Copies
from keras_explainable.types import Model, Tensor

#: Quadrature rules, which give points in 0..1 and their weights.
Rule = Literal["gauss-legendre", "middle"]
RULES = get_args(Rule)

#: Completeness gap allowed without a warning, relative to the larger output.
ALLOWED_GAP = 0.05

Baseline = float | str | Any


@along_axes
@partial(averaging_loop.looping_method, samples=False, several=True)
def integrated_gradients(
    call: averaging_loop.MethodCall,
    *,
    baseline: Baseline = 0.0,
    n_steps: int = 50,
    rule: Rule = "gauss-legendre",
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
    differences = map_structure(_difference, call.inputs, baselines)

    def perturb(copies: Copies) -> tuple[Nested, Any]:
        def point(start: Tensor, difference: Tensor) -> Tensor:
            if not is_float(start):
                return start
            return start + per_row(points[copies.draw], difference) * difference

        parts = (take_rows(each, copies.image) for each in (baselines, differences))
        return map_structure(point, *parts), None

    def counted(maps: Nested, copies: Copies) -> Nested:
        def weighted(part: Tensor, difference: Tensor) -> Tensor:
            factor = per_row(n_steps * weights[copies.draw], difference) * difference
            return input_gradients.reduced_product(part, factor, channel_reduction)

        return map_structure(weighted, maps, take_rows(differences, copies.image))

    accumulator = averaging_loop.average_over_copies(
        call, SIGNED_GRADIENTS, perturb, Sampling(n_steps), counted=counted
    )
    outputs = output_units.forward(call.model, baselines, call.rows)
    at_baseline = output_units.gather_units(outputs, call.indices)
    _warn_of_gap(call, accumulator.maps, at_baseline)
    return accumulator.logits, accumulator.maps


def completeness_gap(
    model: Model,
    inputs: Any,
    indices: Tensor | None,
    maps: Nested,
    *,
    baseline: Baseline = 0.0,
    rows: int = averaging_loop.ROWS,
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
    indices = output_units.as_indices(indices, *outputs.shape)
    arrays = map_structure(partial(dense_arrays.as_array, "maps"), maps)
    total = _total(map_structure(ops.convert_to_tensor, arrays))
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
    numbers = tree.pack_sequence_as(inputs, [*range(len(flatten(inputs)))])
    shown = changeable_parts(model, inputs)
    found = model_inputs.map_inputs_with(
        model, partial(_baseline, shown), "baseline", baseline, inputs, numbers
    )
    # A step that is hidden stays so on the whole path.
    parts = shown, flatten(found), flatten(inputs)
    return tree.pack_sequence_as(found, [*map(where_shown, *parts)])


def _difference(inputs: Tensor, baseline: Tensor) -> Tensor:
    if is_float(inputs):
        return inputs - baseline
    return ops.zeros(inputs.shape, "float32")


def _baseline(
    shown: list[Tensor | None], baseline: Baseline, inputs: Tensor, number: int
) -> Tensor:
    """Return a baseline for each row of one input (B, H, W, C), the one of a number.

    There is no path to tokens, categories or masks, which stay as they are.
    """
    if not is_float(inputs):
        return inputs
    if isinstance(baseline, str):
        if baseline != "blur":
            raise ValueError(
                f"`baseline` must be a number, images or 'blur'; received {baseline!r}."
            )
        return blurred_shown(inputs, shown[number])
    given, shape = dense_arrays.as_array("baseline", baseline), tuple(inputs.shape[1:])
    given = moved_array("baseline", given, number)
    if tuple(given.shape) not in ((), shape):
        raise ValueError(
            f"`baseline` must be a number or have the inputs' shape {shape}; received "
            f"shape {tuple(given.shape)}."
        )
    dense_arrays.check_finite(given, "baseline")
    given = ops.cast(ops.convert_to_tensor(given), inputs.dtype)
    return ops.broadcast_to(given, inputs.shape)


def _total(maps: Nested) -> Tensor:
    """Return the sum of each map (B, K), over all inputs."""
    axes = [tuple(range(1, len(x.shape) - 1)) for x in tree.flatten(maps)]
    return sum(map(ops.sum, tree.flatten(maps), axes))


def _warn_of_gap(
    call: averaging_loop.MethodCall, maps: Nested, at_baseline: Tensor
) -> None:
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
            f"{(logits - least)[worst]:.3g}. Increase `n_steps`; or choose another "
            "`baseline`, if the model hides values like it, as `Masking` does."
        )
