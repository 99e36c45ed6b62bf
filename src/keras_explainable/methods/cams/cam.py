"""The original class activation map, for heads that are linear after global pooling."""

from typing import Any

import keras
from keras import layers, ops
from keras.activations import linear

from keras_explainable.common.structures import Nested
from keras_explainable.execution.model_preparation import prepares_model, takes_tokens
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.exposed_layers import exposed_outputs, units_of_layer
from keras_explainable.inspection.find_calls import Endpoint
from keras_explainable.inspection.token_steps import GridToTokens
from keras_explainable.methods.cams.gradcam import (
    exposed,
    spatial_axes,
    weighted_maps,
)
from keras_explainable.network.activations import activation_of
from keras_explainable.network.affine_steps import (
    is_affine_when_tried,
    pools_evenly_when_tried,
)
from keras_explainable.network.graph import Step
from keras_explainable.network.operation_kinds import IDENTITIES, LINEAR, computes_as
from keras_explainable.network.time_distributed import operation_on_frames
from keras_explainable.types import Model, Tensor

#: Global average pooling layers.
MEANS = tuple(getattr(layers, f"GlobalAveragePooling{rank}D") for rank in (1, 2, 3))

#: Layers between the pooling and the units that are affine functions of their input.
AFFINE = (
    *MEANS,
    *IDENTITIES,
    *LINEAR,
    GridToTokens,
    layers.Activation,
    layers.BatchNormalization,
    layers.Flatten,
    layers.Reshape,
)


def with_linear_head(model: Model, params: dict[str, Any]) -> Model:
    """Return the model with the input of its global average pooling exposed."""
    if params.get("logits_layer") is not None:
        model = units_of_layer(model, params["logits_layer"])
    model = exposed(model, params)
    graph, _ = exposed_outputs(model)
    first, *exposed_values = keras.tree.flatten(graph.outputs)
    for value in exposed_values:
        _check_head(model, graph.between(value, first))
    return model


def _check_head(model: Model, head: tuple[Step, ...]) -> None:
    """Raise ValueError unless steps are linear, with a global average pooling."""
    nonlinear = [step.operation.name for step in head if not _is_affine(step)]
    pooled = any(_is_mean(step) or pools_evenly_when_tried(step) for step in head)
    if nonlinear or not pooled:
        reason = f"{nonlinear[-1]!r} in between" if nonlinear else "no such pooling"
        raise ValueError(
            "`model` must have units that are a linear function of the layer's global "
            f"average, for a class activation map (`gradcam` has no such requirement); "
            f"received {model.name!r}, with {reason}."
        )


def _is_mean(step: Step) -> bool:
    """Whether a step is Keras' average over the positions of each channel."""
    operation = operation_on_frames(step.operation)
    return isinstance(operation, MEANS) and operation.data_format == "channels_last"


def _is_affine(step: Step) -> bool:
    operation = operation_on_frames(step.operation)
    if not computes_as(operation, *AFFINE):
        return is_affine_when_tried(step)  # As the difference of two units is.
    return activation_of(operation) in (None, linear)


def weigh_by_head(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the sum (B, h, w) of the channels, weighted by the head's weights."""
    counts = ops.any(gradients != 0, axis=-1, keepdims=True)
    size = ops.sum(
        ops.cast(counts, gradients.dtype), axis=spatial_axes(gradients), keepdims=True
    )
    return ops.sum(size * gradients * activations, axis=-1)


@along_axes
@takes_tokens
@prepares_model(with_linear_head, shows_layers=True)
def cam(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    layer: Endpoint | None = None,
    grid: tuple[int, ...] | None = None,
    skip_tokens: int | tuple[int, int] | None = None,
    logits_layer: Endpoint | None = None,
) -> tuple[Tensor, Nested]:
    """Return the logits and their class activation maps.

        maps = sum_c w_c A_c

    w are the weights of the unit in the dense layer after a global average pooling of
    A, without its bias. They are computed as derivatives, n df/dA with n positions that
    count for the average, so that layers in between may be linear, or do nothing at
    inference. Steps that a mask hides from the pooling do not count: their maps are 0.

    Other arguments, and results, are those of ``gradcam``.

    Args:
        logits_layer: Layer whose units are explained, in the forms of ``layer``; by
            default the last one.

    Raises:
        ValueError: If the units are not a linear function of pooled activations.

    Reference: Zhou et al., 2016, https://arxiv.org/abs/1512.04150
    """
    params = {"layer": layer, "grid": grid, "skip_tokens": skip_tokens}
    model = with_linear_head(model, params | {"logits_layer": logits_layer})
    return weighted_maps(weigh_by_head, model, inputs, indices)
