"""Derivatives of a model's units by its inputs, as they are."""

from collections.abc import Callable
from functools import partial
from typing import Any

from keras import ops

from keras_explainable import backend, filters
from keras_explainable.common.structures import Nested, map_structure
from keras_explainable.inspection.embeddings import check_real_inputs
from keras_explainable.network import output_units
from keras_explainable.network.model_inputs import as_inputs
from keras_explainable.types import Model, Tensor


def gradients(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    gradient_filter: Callable[[Tensor], Tensor] | None = filters.absolute,
    channel_reduction: Callable[..., Tensor] | None = ops.mean,
) -> tuple[Tensor, Nested]:
    """Return the chosen units and their derivatives by the inputs (saliency maps).

        maps[b, :, :, k] = mean_c | d f_{indices[b, k]}(x_b) / d x_b[:, :, c] |

    One forward pass, and one vector-Jacobian product for each unit; weights are not
    differentiated.

    Args:
        model: Keras model with outputs (B, units). What it outputs is explained: to
            explain logits use ``ke.explain``, or pass ``ke.inspection.logits_model``.
        inputs: (B, H, W, C), of any real dtype: NumPy, lists, or backend tensors; of a
            model with several inputs a dictionary by name, or a list.
        indices: units to explain (B, K), or (B,) read as (B, 1); None explains every
            unit.
        gradient_filter: applied to the gradient, element by element, or None.
        channel_reduction: called with ``axis=-1`` on what the filter gives, or None
            to keep the channels. Tables (B, features) have none to reduce.

    Returns:
        ``logits`` (B, K), and ``maps`` (B, H, W, K), or (B, H, W, C, K) with
        ``channel_reduction=None``, in units of output per unit of input; one for each
        input, where there are several, in the structure that the model has.

    Raises:
        ValueError: if ``inputs`` or ``indices`` do not fit the model.
        TypeError: if ``indices`` are not integers.

    Reference: Simonyan et al., 2013, https://arxiv.org/abs/1312.6034
    """

    def finish(gradient: Tensor, x: Tensor) -> Tensor:
        filtered = gradient if gradient_filter is None else gradient_filter(gradient)
        return reduce_channels(filtered, channel_reduction)

    return _maps(model, inputs, indices, finish)


def _maps(
    model: Model,
    inputs: Any,
    indices: Any,
    finish: Callable[[Tensor, Tensor], Tensor],
) -> tuple[Tensor, Nested]:
    """Return the chosen units, and ``finish(derivatives, input)`` for each input."""
    inputs = as_inputs(model, inputs)
    check_real_inputs(model)
    outputs, pullback, _ = backend.vjp(
        lambda x: (output_units.first_output(model(x, training=False)), ()), inputs
    )
    return output_units.maps_of_units(
        outputs, indices, lambda one: map_structure(finish, pullback(one), inputs)
    )


def reduce_channels(
    gradient: Tensor, channel_reduction: Callable[..., Tensor] | None, axis: int = -1
) -> Tensor:
    """Return a gradient without its axis of channels, which one of a table has not.

    Args:
        gradient: (B, *spatial, C), or (B, features); and whatever is behind ``axis``.
        channel_reduction: as in ``gradients``.
        axis: of the channels, from the end.
    """
    if channel_reduction is None or len(gradient.shape) + axis < 2:
        return gradient
    return channel_reduction(gradient, axis=axis)


#: Gradients as they are: signed, (B, H, W, C, K).
SIGNED_GRADIENTS = partial(gradients, gradient_filter=None, channel_reduction=None)


def input_x_gradient(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    channel_reduction: Callable[..., Tensor] | None = ops.sum,
) -> tuple[Tensor, Nested]:
    """Return the chosen units and what each input value adds to them, to first order.

        maps[b, :, :, k] = sum_c x_b[:, :, c] d f_{indices[b, k]}(x_b) / d x_b[:, :, c]

    Args, returns, raises: as for ``gradients``; maps are signed, in units of output.

    Reference: Shrikumar et al., 2016, https://arxiv.org/abs/1605.01713
    """

    def finish(gradient: Tensor, x: Tensor) -> Tensor:
        return reduce_channels(gradient * x, channel_reduction)

    return _maps(model, inputs, indices, finish)
