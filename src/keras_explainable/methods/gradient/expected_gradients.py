"""Integrated gradients, averaged over baselines that are drawn from data."""

from collections.abc import Callable
from typing import Any

from keras import ops

from keras_explainable.common.structures import take_rows
from keras_explainable.execution.compilation import describe
from keras_explainable.inspection.axes import along_axes
from keras_explainable.methods.gradient import input_gradients
from keras_explainable.network.dense_arrays import as_array, check_finite
from keras_explainable.network.masked_steps import changeable_parts, where_shown
from keras_explainable.network.user_form import moved_array
from keras_explainable.sampling import averaging_loop
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.schedule import Copies
from keras_explainable.types import Tensor


@along_axes
@averaging_loop.looping_method
def expected_gradients(
    call: averaging_loop.MethodCall,
    *,
    data: Any,
    repetitions: int = 64,
    seed: int | None = None,
    tolerance: float | None = None,
    channel_reduction: Callable[..., Tensor] | None = ops.sum,
) -> tuple[Any, ...]:
    """Return the logits and their expected gradients.

        maps = mean_s sum_c (x - b_s) * df/dx (b_s + a_s (x - b_s))

    These are integrated gradients averaged over baselines b_s drawn from data, each
    with one point a_s on its path, uniform in 0..1. Steps that a mask hides in x or in
    b_s stay as they are in x, on the whole path.

    Args:
        data: Images (M, H, W, C) to draw baselines from.
        repetitions: Number of draws for each input.
        seed: Integer >= 0; None draws a fresh one for each call.
        tolerance: Relative error at which an image has converged.
        channel_reduction: Function called with ``axis=-1``, or None to keep the
            channels.

    Returns:
        The same as ``integrated_gradients``; and ``Stats`` as a third value with
        ``return_stats=True``.

    Raises:
        ValueError: If a parameter is not as described.

    Reference: Erion et al., 2021, https://arxiv.org/abs/1906.10670
    """
    data = _as_data(data, call.inputs)
    sampling = Sampling(repetitions, seed, tolerance=tolerance).with_seed()
    [shown] = changeable_parts(call.model, call.inputs)

    def drawn(copies: Copies) -> tuple[Tensor, Tensor]:
        """Return the baselines, and fractions of the paths from them to the inputs."""
        keys = sampling.keys(call.ids[copies.image], copies.draw)
        chosen = keys[:, 0].astype("int64") * len(data) >> 32
        fraction = input_gradients.per_row(keys[:, 1] / 2**32, call.inputs)
        baselines, rows = ops.take(data, chosen, axis=0), copies.image
        inputs = take_rows(call.inputs, rows)
        [known] = changeable_parts(call.model, baselines)
        baselines = where_shown(known, baselines, inputs)
        return where_shown(shown, baselines, inputs, rows), fraction

    def perturb(copies: Copies) -> tuple[Tensor, Any]:
        start, fraction = drawn(copies)
        return start + fraction * (take_rows(call.inputs, copies.image) - start), None

    def counted(maps: Tensor, copies: Copies) -> Tensor:
        start, _ = drawn(copies)
        difference = take_rows(call.inputs, copies.image) - start
        return input_gradients.reduced_product(maps, difference, channel_reduction)

    accumulator = averaging_loop.average_over_copies(
        call, input_gradients.SIGNED_GRADIENTS, perturb, sampling, counted=counted
    )
    facts = {"method": f"expected_gradients({describe(channel_reduction)})"}
    return averaging_loop.method_result(call, accumulator, facts)


def _as_data(data: Any, inputs: Tensor) -> Tensor:
    data = moved_array("data", as_array("data", data), rows=True)
    data = ops.cast(ops.convert_to_tensor(data), inputs.dtype)
    if tuple(data.shape[1:]) != tuple(inputs.shape[1:]) or not len(data):
        raise ValueError(
            f"`data` must have shape (M, ...) with images of {tuple(inputs.shape[1:])};"
            f" received {tuple(data.shape)}."
        )
    check_finite(data, "data")
    return data
