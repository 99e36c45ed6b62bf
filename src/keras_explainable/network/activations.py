"""The activation that a layer applies to its own output."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras

from keras_explainable.common.structures import first_of
from keras_explainable.network.graph import Graph, Step, shallow_copy, symbol_like
from keras_explainable.network.operation_kinds import IDENTITIES
from keras_explainable.network.time_distributed import PerFrame, operation_on_frames
from keras_explainable.network.trace_model import inlined


def activation_of(operation: Any) -> Any:
    """Return the activation at the end of a layer, also on frames; None without one."""
    return getattr(operation_on_frames(operation), "activation", None)


def with_activation(layer: keras.Layer, activation: Any) -> keras.Layer:
    """Return a shallow copy of the layer with another activation at its end."""
    if isinstance(layer, PerFrame):
        inner = with_activation(layer.step.operation, activation)
        return PerFrame(replace(layer.step, operation=inner))
    copy = shallow_copy(layer)
    if isinstance(layer, keras.layers.TimeDistributed):
        copy.__dict__["layer"] = with_activation(layer.layer, activation)
    else:
        copy.__dict__["activation"] = activation
    return copy


def is_identity(step: Step) -> bool:
    """Return whether a step does nothing at inference."""
    if step.implementation is not None:  # Such as a rule for derivatives.
        return False
    kind = type(step.operation)
    linear = activation_of(step.operation) in (None, keras.activations.linear)
    does_nothing = kind in IDENTITIES or (kind is keras.layers.Activation and linear)
    return does_nothing and step.is_plain()


def split_activation(step: Step) -> list[Step]:
    """Return the steps of a layer without its activation, and of the activation."""
    activation = activation_of(step.operation)
    if activation in (None, keras.activations.linear):
        return [step]
    between = symbol_like(step.outputs)
    linear = with_activation(step.operation, keras.activations.linear)
    nonlinear = keras.layers.Activation(activation, dtype=step.operation.dtype_policy)
    return [
        replace(step, operation=linear, outputs=between),
        Step(nonlinear, (between,), {}, step.outputs),
    ]


def with_split_activations(
    graph: Graph, splits: Callable[[Any], bool], every: bool = False
) -> Graph:
    """Return the inlined graph up to its first output, with activations as steps.

    Args:
        graph: Any graph.
        splits: Whether the activation of an operation becomes a step of its own.
        every: Whether to keep all outputs.
    """
    flat, steps = inlined(graph), list[Step]()
    for step in flat.steps:
        steps += split_activation(step) if splits(step.operation) else [step]
    outputs = flat.outputs if every else first_of(flat.outputs)
    return replace(flat, steps=tuple(steps), outputs=outputs).pruned()
