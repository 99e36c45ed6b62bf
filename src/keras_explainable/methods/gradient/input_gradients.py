"""Derivatives of a model's units with respect to its inputs."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend, filters
from keras_explainable.common import checks
from keras_explainable.common.structures import Nested, map_structure
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.embeddings import check_real_inputs
from keras_explainable.network import output_units
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.types import Model, Tensor


@along_axes
def gradients(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    gradient_filter: Callable[[Tensor], Tensor] | None = filters.absolute,
    channel_reduction: Callable[..., Tensor] | None = ops.mean,
) -> tuple[Tensor, Nested]:
    """Return the logits and their derivatives by the inputs (saliency maps).

        maps[b, :, :, k] = mean_c | d f_{indices[b, k]}(x_b) / d x_b[:, :, c] |

    This takes one forward pass, and one vector-Jacobian product for each unit. Weights
    are not differentiated.

    Args:
        model: Keras model with outputs (B, units). Its own outputs are explained: for
            logits use ``ke.explain``, or pass ``ke.inspection.logits_model(model)``.
        inputs: Inputs (B, H, W, C) of any real dtype: NumPy, lists, or backend tensors.
            A model with several inputs takes a dictionary by name, or a list if
            it was built with one.
        indices: Units to explain (B, K), or (B,) read as (B, 1); None explains every
            unit.
        gradient_filter: Function applied elementwise to the gradient, or None.
        channel_reduction: Function called with ``axis=-1`` on the filtered gradient, or
            None to keep the channels. Tables (B, features) have no channels to reduce.

    Like all methods, it takes ``spatial_axis``, the axes of the inputs between those of
    the batch and that of the channels, negative or not: (-3, -2) for videos
    (B1, B2, H, W, C), which have a map (H, W) for each frame. Their model takes images,
    or videos with units (B1, B2, units). ``indices_axis`` is the axis of the model's
    outputs along which units are gathered, and ``indices_batch_dims`` the number of
    first axes that indices and outputs share, both as in
    ``ke.inspection.gather_units``; logits and maps end in the axes that it returns.

    Returns:
        ``logits`` (B, K), and ``maps`` (B, H, W, K), or (B, H, W, C, K) with
        ``channel_reduction=None``, in units of output per unit of input. A model with
        several inputs has maps for each of them, in the structure of its inputs.

    Raises:
        ValueError: If ``inputs`` or ``indices`` do not fit the model.
        TypeError: If ``indices`` are not integers.

    Reference: Simonyan et al., 2013, https://arxiv.org/abs/1312.6034
    """

    def finish(gradient: Tensor, x: Tensor) -> Tensor:
        filtered = gradient if gradient_filter is None else gradient_filter(gradient)
        return reduce_channels(filtered, channel_reduction)

    return _maps(model, inputs, indices, finish)


def _maps(
    model: Model, inputs: Any, indices: Any, finish: Callable[[Tensor, Tensor], Tensor]
) -> tuple[Tensor, Nested]:
    """Return the logits, and ``finish(derivatives, input)`` for each input."""
    inputs = as_inputs(model, inputs)
    check_real_inputs(model)
    outputs, pullback, _ = backend.vjp(
        lambda x: (output_units.units_of(model, x), ()), inputs
    )
    return output_units.maps_of_units(
        outputs, indices, lambda one: map_structure(finish, pullback(one), inputs)
    )


def reduce_channels(
    gradient: Tensor, channel_reduction: Callable[..., Tensor] | None, axis: int = -1
) -> Tensor:
    """Return a gradient reduced over its channels; a table's gradient unchanged.

    Args:
        gradient: Gradient (B, *spatial, C) or (B, features), with any axes after
            ``axis``.
        channel_reduction: As in ``gradients``.
        axis: Axis of the channels, counted from the end.
    """
    if channel_reduction is not None:
        checks.is_callable("channel_reduction", channel_reduction)
    if channel_reduction is None or len(gradient.shape) + axis < 2:
        return gradient
    return channel_reduction(gradient, axis=axis)


def per_row(values: np.ndarray, like: Tensor) -> Tensor:
    """Return ``values`` (R,) in a shape that broadcasts with inputs (R, ...)."""
    shape = (len(values), *(1,) * (len(like.shape) - 1))
    return ops.cast(values.reshape(shape), like.dtype)


def reduced_product(maps: Tensor, factor: Tensor, channel_reduction: Any) -> Tensor:
    """Return maps (R, ..., C, K) times a factor (R, ..., C), reduced over channels."""
    return reduce_channels(maps * factor[..., None], channel_reduction, axis=-2)


#: Signed gradients of each channel, (B, H, W, C, K).
SIGNED_GRADIENTS = partial(gradients, gradient_filter=None, channel_reduction=None)


@along_axes
def input_x_gradient(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    channel_reduction: Callable[..., Tensor] | None = ops.sum,
) -> tuple[Tensor, Nested]:
    """Return the logits and the contribution of each input value, to first order.

        maps[b, :, :, k] = sum_c x_b[:, :, c] d f_{indices[b, k]}(x_b) / d x_b[:, :, c]

    Arguments, results and errors are those of ``gradients``; the maps are signed, in
    units of the output.

    Reference: Shrikumar et al., 2016, https://arxiv.org/abs/1605.01713
    """

    def finish(gradient: Tensor, x: Tensor) -> Tensor:
        x = ops.cast(x, gradient.dtype)  # It may be of integers.
        return reduce_channels(gradient * x, channel_reduction)

    return _maps(model, inputs, indices, finish)
