"""Guided backpropagation: ReLUs pass only positive derivatives back."""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import filters
from keras_explainable.common.structures import Nested
from keras_explainable.common.warnings import warn
from keras_explainable.execution.model_preparation import prepares_model
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.methods.gradient.input_gradients import gradients
from keras_explainable.network.activations import activation_of, with_activation
from keras_explainable.network.attribution_rules import runs_unknown_code
from keras_explainable.network.graph import Graph, GraphModel, Step, symbols_in
from keras_explainable.network.layers_of_user import is_of_user
from keras_explainable.network.opened_attention import with_opened_attention
from keras_explainable.network.operation_kinds import keras_name, relu_limit
from keras_explainable.network.time_distributed import (
    flattened,
    operation_on_frames,
)
from keras_explainable.types import Model, Tensor


class GuidedReLU(keras.layers.Layer):
    """A ReLU that passes only positive derivatives back."""

    def __init__(self, limit: float, name: str | None = None):
        super().__init__(name=name, autocast=False, trainable=False)
        self.limit = limit

    def call(self, x: Tensor) -> Tensor:
        """Return min(max(x, 0), limit)."""
        return guided_relu(self.limit)(x)

    def compute_output_shape(self, shape: Any) -> Any:
        """Return the shape unchanged."""
        return shape


@cache
def guided_relu(limit: float) -> Callable[[Tensor], Tensor]:
    """Return a ReLU up to ``limit`` that passes only positive derivatives back."""

    @ops.custom_gradient
    def relu(x: Tensor) -> tuple[Tensor, Callable[..., Tensor]]:
        def pullback(*args: Tensor, upstream: Tensor | None = None) -> Tensor:
            gradient = args[-1] if upstream is None else upstream
            is_open = ops.logical_and(x > 0, x < limit)
            return ops.where(is_open, ops.relu(gradient), ops.zeros_like(gradient))

        return ops.minimum(ops.relu(x), ops.cast(limit, x.dtype)), pullback

    return relu


def _prepare(model: Model, params: dict[str, Any]) -> Model:
    """Return the model with guided ReLUs, which shares its layers.

    Raises:
        ValueError: If it has no ReLU, or its layers are not known.
    """
    graph: Any = getattr(model, "original", getattr(model, "graph", None))
    if isinstance(model, GraphModel) and any(map(_is_guided, graph.steps)):
        return model
    guided = rewritten_model(model, _replace_relus)
    if guided is model:
        raise ValueError(
            "`model` must have ReLUs, and be Functional or Sequential, for guided "
            f"gradients; none was found in the model {model.name!r}."
        )
    return guided


@along_axes
@prepares_model(_prepare)
def guided_gradients(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    gradient_filter: Callable[[Tensor], Tensor] | None = filters.absolute,
    channel_reduction: Callable[..., Tensor] | None = ops.mean,
) -> tuple[Tensor, Nested]:
    """Return the logits and their guided gradients.

    They are ``gradients`` in which each ReLU passes only positive derivatives back.
    ReLUs are found as layers, activations and operations, up to 6 or without a limit,
    also in layers of the user's whose calls are made of functions of ``keras.ops`` and
    layers of Keras; a warning names the others. The derivatives of other activations,
    leaky ReLUs among them, do not change.

    Guided gradients show what is bright in the picture more than what the network's
    decision is based on (Adebayo et al., 2018, https://arxiv.org/abs/1810.03292).

    Arguments and results are those of ``gradients``.

    Raises:
        ValueError: If the model has no ReLU, or its layers are not known.

    Reference: Springenberg et al., 2014, https://arxiv.org/abs/1412.6806
    """
    return gradients(
        _prepare(model, {}),
        inputs,
        indices,
        gradient_filter=gradient_filter,
        channel_reduction=channel_reduction,
    )


def _is_guided(step: Step) -> bool:
    guided = [guided_relu(limit) for limit in (6.0, math.inf)]
    is_relu = isinstance(step.operation, GuidedReLU)
    return is_relu or activation_of(step.operation) in guided


def _replace_relus(graph: Graph) -> Graph:
    """Return the graph with guided ReLUs; the graph itself if it has no ReLUs."""
    flat = flattened(graph)
    if any(is_of_user(step.operation) for step in flat.steps):
        flat = flattened(with_opened_attention(graph, every=True))
    steps = tuple(map(_replace_relu, flat.steps))
    if all(a is b for a, b in zip(steps, flat.steps, strict=True)):
        return graph
    _warn_of_unknown(steps)
    return replace(flat, steps=steps)


def _warn_of_unknown(steps: Iterable[Step]) -> None:
    names = [step.operation.name for step in steps if _is_unknown(step)]
    if names:
        warn(
            "Guided gradients do not know what these layers compute: "
            f"{', '.join(dict.fromkeys(names))}. ReLUs inside them pass all "
            "derivatives back. Calls that are made of functions of `keras.ops` and "
            "layers of Keras are known."
        )


def _is_unknown(step: Step) -> bool:
    inner = operation_on_frames(step.operation)
    on_frames = inner is not step.operation and is_of_user(inner)
    return on_frames or runs_unknown_code(step)


def _replace_relu(step: Step) -> Step:
    operation = operation_on_frames(step.operation)
    limit = math.inf if _is_maximum_with_0(step) else _final_relu_limit(operation)
    if limit is None:
        return step
    is_activation = isinstance(operation, keras.layers.Activation)
    if is_activation or not hasattr(operation, "activation"):
        layer = GuidedReLU(limit, name=getattr(operation, "name", None))
        return Step(layer, (step.reads[0],), {}, step.outputs)
    guided = with_activation(step.operation, guided_relu(limit))
    return replace(step, operation=guided)


def _final_relu_limit(operation: Any) -> float | None:
    """Return the maximum of the ReLU that an operation is or ends in; None without."""
    names = {"Relu": math.inf, "Relu6": 6.0}
    limit = relu_limit(activation_of(operation) or operation)
    return names.get(keras_name(operation)) if limit is None else limit


def _is_maximum_with_0(step: Step) -> bool:
    numbers = [x for x in step.args if not symbols_in(x)]
    zero = len(numbers) == 1 and np.ndim(numbers[0]) == 0 and float(numbers[0]) == 0
    return keras_name(step.operation) == "Maximum" and zero
