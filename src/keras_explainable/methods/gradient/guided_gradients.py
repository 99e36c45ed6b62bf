"""Guided backpropagation."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import keras
from keras import ops

from keras_explainable.execution.model_preparation import prepares_model
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.methods.gradient.input_gradients import gradients
from keras_explainable.network.activations import activation_of, with_activation
from keras_explainable.network.graph import Graph, GraphModel, Step
from keras_explainable.network.operation_kinds import relu_limit
from keras_explainable.network.trace_model import inlined
from keras_explainable.types import Model, Tensor


class GuidedReLU(keras.layers.Layer):
    """A ReLU through which only positive derivatives go back."""

    def __init__(self, limit: float, name: str | None = None):
        super().__init__(name=name, autocast=False, trainable=False)
        self.limit = limit

    def call(self, x: Tensor) -> Tensor:
        """Return min(max(x, 0), limit)."""
        return guided_relu(self.limit)(x)

    def compute_output_shape(self, shape: Any) -> Any:
        """Return the shape as it is."""
        return shape


@cache
def guided_relu(limit: float) -> Callable[[Tensor], Tensor]:
    """Return a ReLU up to ``limit`` through which only positive derivatives go back."""

    @ops.custom_gradient
    def relu(x: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        def pullback(*args: Tensor, upstream: Tensor | None = None) -> Tensor:
            gradient = args[-1] if upstream is None else upstream
            open_ = ops.logical_and(x > 0, x < limit)
            return ops.where(open_, ops.relu(gradient), ops.zeros_like(gradient))

        return ops.minimum(ops.relu(x), ops.cast(limit, x.dtype)), pullback

    return relu


def _prepare(model: Model, params: dict[str, Any]) -> Model:
    """Return the model with guided ReLUs, which shares its layers.

    Raises:
        ValueError: if it has no ReLU, or its layers are not known.
    """
    graph: Any = getattr(model, "original", getattr(model, "graph", None))
    if isinstance(model, GraphModel) and any(map(_is_guided, graph.steps)):
        return model
    guided = rewritten_model(model, _guided)
    if guided is model:
        raise ValueError(
            "`model` must have ReLUs, and be Functional or Sequential, for guided "
            f"gradients; none was found in the {type(model).__name__} {model.name!r}."
        )
    return guided


@prepares_model(_prepare)
def guided_gradients(
    model: Model, inputs: Tensor, indices: Tensor | None = None, **params: Any
) -> tuple[Tensor, Tensor]:
    """Return the chosen units and their guided gradients.

    As ``gradients``, but each ReLU lets back only derivatives that are positive. ReLUs
    are found as layers, activations and operations, up to 6 or without a limit; other
    activations, among them leaky ReLUs, let back what they always do.

    Guided gradients show what is bright in the picture more than what the network
    decided by (Adebayo et al., 2018, https://arxiv.org/abs/1810.03292).

    Args, returns: as for ``gradients``.

    Raises:
        ValueError: if the model has no ReLU, or its layers are not known.

    Reference: Springenberg et al., 2014, https://arxiv.org/abs/1412.6806
    """
    return gradients(_prepare(model, {}), inputs, indices, **params)


def _is_guided(step: Step) -> bool:
    operation = step.operation
    function = getattr(operation, "activation", None)
    return isinstance(operation, GuidedReLU) or function in _guided_activations()


def _guided_activations() -> list[Any]:
    return [guided_relu(limit) for limit in (6.0, math.inf)]


def _guided(graph: Graph) -> Graph:
    """Return the graph with guided ReLUs; itself if there are none."""
    flat = inlined(graph)
    steps = tuple(map(_guided_step, flat.steps))
    changed = any(a is not b for a, b in zip(steps, flat.steps, strict=True))
    return replace(flat, steps=steps) if changed else graph


def _guided_step(step: Step) -> Step:
    operation = step.operation
    limit = _limit(operation)
    if limit is None:
        return step
    if not hasattr(operation, "activation") or _is_activation(operation):
        layer = GuidedReLU(limit, name=getattr(operation, "name", None))
        return Step(layer, step.args[:1], {}, step.outputs)
    return replace(step, operation=with_activation(operation, guided_relu(limit)))


def _is_activation(operation: Any) -> bool:
    return isinstance(operation, keras.layers.Activation)


def _limit(operation: Any) -> float | None:
    """Return where the ReLU that an operation is, or ends in, has its upper end."""
    names = {"Relu": math.inf, "Relu6": 6.0}
    if isinstance(operation, keras.layers.Layer):
        return relu_limit(activation_of(operation) or operation)
    return names.get(type(operation).__name__)
