"""Score-CAM: channels weighted by the scores of the input masked by them."""

from functools import partial

import numpy as np
from keras import ops

from keras_explainable.common.interpolation import interpolated
from keras_explainable.execution.chunks import padded_chunks
from keras_explainable.execution.compilation import compiled
from keras_explainable.execution.model_preparation import prepares_model
from keras_explainable.filters import normalize
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.find_calls import Endpoint
from keras_explainable.inspection.places_of_layers import (
    as_in_input,
    enlarged,
    places_of_exposed,
)
from keras_explainable.methods.cams.gradcam import exposed
from keras_explainable.methods.cams.shown_positions import (
    maps_at_shown,
    shown_positions,
)
from keras_explainable.network import output_units
from keras_explainable.network.dense_arrays import dtype_name
from keras_explainable.network.masked_steps import known_unmasked_steps, where_shown
from keras_explainable.network.model_inputs import shape_text
from keras_explainable.sampling.averaging_loop import MethodCall, looping_method
from keras_explainable.sampling.noise import PADDING
from keras_explainable.types import Model, Tensor


@along_axes
@prepares_model(exposed, shows_layers=True)
@partial(looping_method, samples=False)
def scorecam(
    call: MethodCall,
    *,
    layer: Endpoint | None = None,
    grid: tuple[int, ...] | None = None,
    skip_tokens: int | tuple[int, int] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the logits and their Score-CAM maps.

        maps = sum_c w_c A_c,   w_c = f(x * normalize(upsample(A_c))) - f(0)

    This takes one forward pass for each channel; ``normalize`` rescales to 0..1.

    Arguments, results and errors are those of ``gradcam``; progress is counted in
    forward passes.

    Reference: Wang et al., 2020, https://arxiv.org/abs/1910.01279
    """
    params = {"layer": layer, "grid": grid, "skip_tokens": skip_tokens}
    model = exposed(call.model, params)
    activations = compiled(_activations, model)(call.inputs)
    _check_axes(activations, call.inputs)
    zero = _scores_of_nothing(call, model)
    weights = _scores(call, model, activations) - ops.convert_to_numpy(zero)[:, None]
    chosen = ops.convert_to_numpy(call.indices)[:, None]
    weights = ops.cast(np.take_along_axis(weights, chosen, axis=-1), activations.dtype)
    positions = ops.reshape(activations, (len(chosen), -1, activations.shape[-1]))
    maps = ops.matmul(positions, weights)
    maps = ops.reshape(maps, (*activations.shape[:-1], maps.shape[-1]))
    shown = shown_positions(model, call.inputs)[0]
    maps = maps_at_shown(shown, maps)
    return output_units.gather_units(call.outputs, call.indices), maps


def _scores_of_nothing(call: MethodCall, model: Model) -> Tensor:
    """Return the outputs for zeros, (1, units), or (B, units) if steps are hidden."""
    [shown] = known_unmasked_steps(model, call.inputs)
    if shown is None:
        return output_units.forward(model, ops.zeros_like(call.inputs[:1]), 1)
    zeros = where_shown(shown, ops.zeros_like(call.inputs), call.inputs)
    return output_units.forward(model, zeros, call.rows)


def _check_axes(activations: Tensor, inputs: Tensor) -> None:
    if len(activations.shape) != len(inputs.shape) or len(inputs.shape) < 3:
        raise ValueError(
            "`layer` must have an output with the axes of the input "
            f"{shape_text(inputs.shape)}, which its channels mask; received one of "
            f"shape {shape_text(activations.shape)}."
        )


def _scores(call: MethodCall, model: Model, activations: Tensor) -> np.ndarray:
    """Return the outputs (B, C, units) for each input, masked by each channel."""
    live, channels = np.flatnonzero(call.ids != PADDING), activations.shape[-1]
    step, total = compiled(_masked_outputs, model), len(live) * channels
    units, width = call.outputs.shape[-1], dtype_name(call.outputs)
    dtype = "float64" if width == "float64" else "float32"
    scores = np.zeros((len(call.ids), channels, units), dtype)
    # Padded rows count for the size, so that a padded batch compiles nothing new.
    for rows, used in padded_chunks(total, min(call.rows, len(call.ids) * channels)):
        image, channel = live[rows // channels], rows % channels
        masks = ops.take(activations, image.astype("int32"), axis=0)
        axes = [*range(1, len(masks.shape))]
        masks = ops.take_along_axis(masks, np.expand_dims(channel, axes), axis=-1)
        inputs = ops.take(call.inputs, image.astype("int32"), axis=0)
        outputs = ops.convert_to_numpy(step(inputs, masks))
        scores[image[used], channel[used]] = outputs[used]
        call.progress(int(rows[used][-1]) + 1, total)
    return scores


def _activations(model: Model, inputs: Tensor) -> Tensor:
    place = places_of_exposed(model, inputs)[0]
    return as_in_input(model(inputs, training=False)[1], place)


def _masked_outputs(model: Model, inputs: Tensor, masks: Tensor) -> Tensor:
    """Return the outputs for inputs (R, H, W, C) times enlarged masks (R, h, w, 1)."""
    place = places_of_exposed(model, inputs)[0]
    masks = enlarged(interpolated, masks, inputs.shape[1:-1], place)
    masks = normalize(masks, axis=range(1, len(masks.shape)))
    [shown] = known_unmasked_steps(model, inputs)
    masks = ops.cast(masks, inputs.dtype)
    masks = where_shown(shown, masks, ops.ones_like(masks))
    return output_units.units_of(model, inputs * masks)
