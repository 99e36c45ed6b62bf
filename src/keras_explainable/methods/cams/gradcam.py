"""Class activation maps: sums of a layer's channels, weighted for a unit."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers, ops
from keras.activations import linear

from keras_explainable import backend
from keras_explainable.execution.model_preparation import prepares_model
from keras_explainable.inspection.exposed_layers import (
    Endpoint,
    expose,
    exposed_outputs,
    is_exposed,
    with_taps,
)
from keras_explainable.network import output_units
from keras_explainable.network.activations import activation_of
from keras_explainable.network.model_inputs import as_inputs
from keras_explainable.network.operation_kinds import IDENTITIES, LINEAR
from keras_explainable.types import Method, Model, Tensor

#: Layers of means over all of space.
MEANS = tuple(getattr(layers, f"GlobalAveragePooling{rank}D") for rank in (1, 2, 3))

#: Layers that are affine functions of what they read, and have no place for space.
AFFINE = (
    *MEANS,
    *IDENTITIES,
    *LINEAR,
    layers.Activation,
    layers.BatchNormalization,
    layers.Flatten,
    layers.Reshape,
)

Weigh = Callable[[Tensor, Tensor], Tensor]


Prepare = Callable[[Model, dict[str, Any]], Model]


def exposed(model: Model, params: dict[str, Any]) -> Model:
    """Return the model with a layer's output exposed; itself if it has been."""
    if is_exposed(model):
        return model
    return expose(model, params.get("layer"))


def _by_gradient(weigh: Weigh, prepare: Prepare = exposed) -> Method:
    """Return the method with name and docstring of ``weigh(activations, gradients)``.

    Both are (B, h, w, C); it returns (B, h, w).
    """

    @prepares_model(prepare)
    def method(
        model: Model,
        inputs: Tensor,
        indices: Tensor | None = None,
        *,
        layer: Endpoint | None = None,
    ) -> tuple[Tensor, Tensor]:
        inputs = as_inputs(model, inputs)
        model = prepare(model, {"layer": layer})
        run, zeros = with_taps(model, inputs)
        outputs, pullback, (activations, *_) = backend.vjp(
            lambda taps: run(inputs, taps), zeros
        )
        return output_units.maps_of_units(
            outputs, indices, lambda one: weigh(activations, pullback(one)[0])
        )

    for name in ("__name__", "__qualname__", "__doc__"):
        setattr(method, name, getattr(weigh, name))
    return method


@_by_gradient
def gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the chosen units and their Grad-CAM maps.

        maps = sum_c w_c A_c,   w_c = mean_hw df/dA_c

    Args:
        model: as for ``ke.methods.gradient.gradients``; or one with a layer exposed
            behind its own output (``ke.inspection.expose``).
        inputs: (B, H, W, C).
        indices: units to explain (B, K), or (B,); None explains every unit.
        layer: A, by name or as an object, also within nested models; by default what
            the global pooling reads, or the last layer with spatial output.

    Returns:
        ``logits`` (B, K), and signed ``maps`` (B, h, w, K) of the layer's size. The
        paper's are their positive parts, as of ``ke.gradcam``.

    Raises:
        ValueError: if the layer does not exist, or inner layers are not known.

    Reference: Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391
    """
    weights = ops.mean(gradients, axis=_spatial(gradients), keepdims=True)
    return ops.sum(weights * activations, axis=-1)


@_by_gradient
def gradcampp(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the chosen units and their Grad-CAM++ maps.

        maps = sum_c w_c A_c,   w_c = sum_hw a_c relu(g_c),   g = df/dA
        a = g^2 / (2 g^2 + sum_hw A g^3)

    For scores exp(f), of which the derivatives of higher order are powers of g.

    Args, returns, raises: as for ``gradcam``.

    Reference: Chattopadhyay et al., 2018, https://arxiv.org/abs/1710.11063
    """
    axes = _spatial(gradients)
    squares = gradients**2
    total = ops.sum(activations * gradients**3, axis=axes, keepdims=True)
    below = 2 * squares + total
    alpha = ops.where(below != 0, squares / ops.where(below != 0, below, 1), 0)
    weights = ops.sum(alpha * ops.relu(gradients), axis=axes, keepdims=True)
    return ops.sum(weights * activations, axis=-1)


@_by_gradient
def layercam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the chosen units and their LayerCAM maps.

        maps = sum_c relu(df/dA_c) A_c

    Args, returns, raises: as for ``gradcam``.

    Reference: Jiang et al., 2021, https://doi.org/10.1109/TIP.2021.3089943
    """
    return ops.sum(ops.relu(gradients) * activations, axis=-1)


@_by_gradient
def hirescam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the chosen units and their HiResCAM maps.

        maps = sum_c df/dA_c A_c

    Args, returns, raises: as for ``gradcam``.

    Reference: Draelos & Carin, 2020, https://arxiv.org/abs/2011.08891
    """
    return ops.sum(gradients * activations, axis=-1)


def _linear(model: Model, params: dict[str, Any]) -> Model:
    """Return the model with what its global average pooling reads exposed."""
    model = exposed(model, params)
    graph, _ = exposed_outputs(model)
    first, shown, *_ = keras.tree.flatten(graph.outputs)
    above = graph.between(shown, first)
    nonlinear = [
        step.operation.name for step in above if not _is_linear(step.operation)
    ]
    pooled = any(isinstance(step.operation, MEANS) for step in above)
    if nonlinear or not pooled:
        reason = f"{nonlinear[-1]!r} in between" if nonlinear else "no such pooling"
        raise ValueError(
            "`model` must have units that are a linear function of the layer's global "
            f"average, for a class activation map (`gradcam` needs none); received "
            f"{model.name!r}, with {reason}."
        )
    return model


def _is_linear(operation: Any) -> bool:
    activation = activation_of(operation)
    return isinstance(operation, AFFINE) and activation in (None, linear)


@partial(_by_gradient, prepare=_linear)
def cam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the chosen units and their class activation maps.

        maps = sum_c w_c A_c

    w are the weights of the unit in the dense layer behind a global average pooling of
    A, without its bias. They are found as derivatives, n df/dA with n positions, so
    that layers between that do nothing at inference, or are linear, do no harm.

    Args, returns: as for ``gradcam``.

    Raises:
        ValueError: if the units are no linear function of pooled activations.

    Reference: Zhou et al., 2016, https://arxiv.org/abs/1512.04150
    """
    size = math.prod(gradients.shape[axis] for axis in _spatial(gradients))
    return ops.sum(size * gradients * activations, axis=-1)


def _spatial(activations: Tensor) -> tuple[int, ...]:
    return tuple(range(1, len(activations.shape) - 1))
