"""Operations with true derivatives where a framework's are wrong, and one convention.

Values are those of the framework. Where a derivative does not exist, the same is taken
on every backend: at a kink or tie, that of most backends and papers; 0 where the slope
is infinite. A backend that agrees with this runs its own operation.
"""

from dataclasses import replace
from functools import partial
from typing import Any

import keras
from keras import layers, ops

from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.network.activations import activation_of, split_activation
from keras_explainable.network.derivative_rules import (
    applies,
    function_of,
    merging,
    rule_of,
)
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.layers_of_user import (
    calls_correctable,
    calls_function,
    is_function_of_user,
    is_of_user,
    uses_masks,
)
from keras_explainable.network.mask_passing import MaskPassing
from keras_explainable.network.operation_kinds import LINEAR
from keras_explainable.network.operations_of_call import (
    OwnLayer,
    computes_the_same,
    example_operations,
)
from keras_explainable.network.time_distributed import (
    PerFrame,
    graph_of_frame,
    operation_on_frames,
)
from keras_explainable.network.trace_model import graph_of

#: Choices for derivatives: those of this module, or the framework's own.
DERIVATIVES = ("corrected", "framework")


def with_corrected_derivatives(graph: Graph) -> Graph:
    """Return the graph with corrected operations; itself if none needs correction.

    Steps keep their operations, by which they are recognized, and run another function.
    Operations within a user's own layers are corrected, too, if Keras can tell them.
    """
    if graph.derivatives == "framework":
        return graph
    steps = list[Step]()
    for step in graph.steps:
        steps += split_activation(step) if _ends_in_corrected(step) else [step]
    corrected = tuple(map(_corrected, steps))
    pairs = zip(corrected, graph.steps, strict=False)
    same = len(corrected) == len(graph.steps) and all(a is b for a, b in pairs)
    return graph if same else replace(graph, steps=corrected)


def with_framework_derivatives(graph: Graph) -> Graph:
    """Return the graph without corrections, like all that is made from it."""
    steps = tuple(replace(step, implementation=None) for step in graph.steps)
    return replace(graph, steps=steps, derivatives="framework")


def uncorrected_layers(graph: Graph) -> list[keras.Layer]:
    """Return the layers of the user's that keep the framework's derivatives.

    Keras cannot tell what they call, or they do not compute the same if it does.

    Args:
        graph: Graph with corrected derivatives.
    """
    found = list[keras.Layer]()
    for step in graph.steps:
        if is_of_user(step.operation) or calls_function(step.operation):
            inner = example_operations(step) if step.is_plain() else None
            corrected = inner and with_corrected_derivatives(inner)
            wanting = step.implementation is None and corrected is not inner
            if corrected is None or wanting:
                found.append(step.operation)
            else:
                found += uncorrected_layers(corrected)
    return found


def _ends_in_corrected(step: Step) -> bool:
    """Return whether it is a layer with weights and a corrected activation."""
    kind = type(operation_on_frames(step.operation))
    activation = activation_of(step.operation)
    if kind not in (*LINEAR, layers.EinsumDense):
        return False
    if kind is type(step.operation) and is_function_of_user(activation):
        *_, last = split_activation(step)
        return _corrected(last) is not last
    return rule_of(activation) is not None


def _corrected(step: Step) -> Step:
    if step.implementation is not None:
        return step
    if (inner := graph_of(step)) is not None:
        corrected = with_corrected_derivatives(inner)
        run = None if corrected is inner else partial(_run, corrected)
        return replace(step, implementation=run) if run else step
    if isinstance(step.operation, PerFrame):
        inner_step = _corrected(step.operation.step)
        same = inner_step is step.operation.step
        return step if same else replace(step, implementation=PerFrame(inner_step))
    if type(step.operation) is layers.TimeDistributed:
        return _corrected_on_frames(step)
    if calls_correctable(step):
        return _corrected_own(step)
    rule = rule_of(function_of(step.operation))
    if rule is None or not applies(rule, step):
        return step
    implementation: Any = partial(_ruled, rule, step.operation)
    if isinstance(step.operation, layers.Add | layers.Maximum | layers.Minimum):
        return replace(step, implementation=merging(step.operation, rule))
    if getattr(step.operation, "supports_masking", False):
        implementation = MaskPassing(implementation)
    return replace(step, implementation=implementation)


def _corrected_on_frames(step: Step) -> Step:
    """Return the step of a TimeDistributed, with a corrected layer."""
    layer = step.operation.layer
    takes_mask = accepts_parameter(layer.call, "mask")
    masked = takes_mask and (not calls_function(layer) or uses_masks(layer))
    if masked or len(step.args) != 1 or {*step.kwargs} - {"mask"}:
        return step
    [inner] = graph_of_frame(step).steps
    corrected = _corrected(inner)
    same = corrected is inner
    per_frame = None if same else MaskPassing(PerFrame(corrected).call)
    return step if same else replace(step, implementation=per_frame)


def _corrected_own(step: Step) -> Step:
    """Return the step of a layer of the user's, with corrected operations."""
    graph = example_operations(step)
    if graph is None or with_corrected_derivatives(graph) is graph:
        return step
    if not computes_the_same(step, graph):
        return step
    own = OwnLayer(step.operation, with_corrected_derivatives)
    return replace(step, implementation=own)


def _ruled(rule: Any, operation: Any, *args: Any, **options: Any) -> Any:
    """Return what a rule makes of values; a layer's own may be variables."""
    named = {name: _value(x) for name, x in options.items()}
    return rule(operation, *map(_value, args), **named)


def _value(x: Any) -> Any:
    return ops.convert_to_tensor(x) if isinstance(x, keras.Variable) else x


def _run(graph: Graph, *args: Any, **options: None) -> Any:
    """Return the outputs of a nested model."""
    return graph.run(args)
