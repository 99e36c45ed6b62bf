"""Rewriting a graph of layers into an equal one that runs faster."""

from collections import Counter
from dataclasses import replace
from typing import Any

import keras
from keras import layers

from keras_explainable import backend
from keras_explainable.lowering.fold_batchnorm import Linear, Norm
from keras_explainable.lowering.lowered_layers import (
    Affine,
    Convolution,
    Folded,
    MaxPooling,
)
from keras_explainable.lowering.space_to_depth import SpaceToDepth, suits_space_to_depth
from keras_explainable.network.graph import (
    Graph,
    Step,
    by_symbol,
    shallow_copy,
    substituted,
)
from keras_explainable.network.operation_kinds import (
    IDENTITIES,
    LINEAR,
    TRANSPOSED,
    relu_limit,
)
from keras_explainable.network.trace_model import inlined


def simplified(graph: Graph) -> Graph:
    """Return an equal graph of the same layers: flat, without those that do nothing."""
    return without_identities(inlined(graph))


def with_lowered_layers(graph: Graph, precision: str) -> Graph:
    """Return an equal graph with copies of layers where they are faster.

    Args:
        graph: a simplified graph.
        precision: "float32" keeps each layer's own precision; "bfloat16" is for all
            but the steps that write the outputs.
    """
    graph = merged(graph)
    outputs = {id(tensor) for tensor in keras.tree.flatten(graph.outputs)}
    made: dict[Any, Any] = {}  # A layer called twice on the same shape is copied once.

    def with_copy(step: Step) -> Step:
        is_head = id(_first_output(step)) in outputs
        dtype = "float32" if is_head else precision
        shapes = tuple(tensor.shape for tensor in step.reads)
        if (key := (step.operation, dtype, shapes)) not in made:
            made[key] = _operation(step, dtype)
        return replace(step, operation=made[key])

    return replace(graph, steps=tuple(map(with_copy, graph.steps)))


def without_identities(graph: Graph) -> Graph:
    """Return the graph without the layers that do nothing at inference."""
    steps: list[Step] = []
    renamed: dict[int, Any] = {}
    for step in graph.steps:
        step = step.reading(renamed)
        if _is_identity(step):
            renamed |= by_symbol(step.outputs, step.args[0])
        else:
            steps.append(step)
    return Graph(graph.inputs, tuple(steps), substituted(graph.outputs, renamed))


def merged(graph: Graph) -> Graph:
    """Return the graph with `Linear` and `Norm` as operations, where they are known.

    Zero padding before a linear layer, and batch norm and ReLU behind it, become part
    of it if nothing else reads what is between them.
    """
    outputs = Counter(map(id, keras.tree.flatten(graph.outputs)))
    readers = graph.times_read() + outputs
    steps: dict[int, Step] = {}
    for step in graph.steps:
        step = _recognised(step)
        between = id(step.args[0]) if step.args else 0
        before = steps.get(between)
        if before and step.is_plain() and readers[between] == 1:
            both = _merged(before.operation, step.operation)
            if both is not None:
                del steps[between]
                step = replace(before, operation=both, kwargs={}, outputs=step.outputs)
        steps[id(_first_output(step))] = step
    return replace(graph, steps=tuple(steps.values()))


def _merged(first: Any, second: Any) -> Linear | Norm | None:
    """Return one operation that does both, if there is one."""
    if isinstance(second, Linear):
        fits = _pads_with_zeros(first) and _takes_padding(second.layer)
        return replace(second, before=first) if fits else None
    if not isinstance(first, Linear | Norm) or not _is_linear(first):
        return None
    if isinstance(first, Linear) and isinstance(second, Norm):
        return None if first.norm else replace(first, norm=second)
    is_own = isinstance(first, Norm) or _has_own_convolution(first.layer)
    relu = relu_limit(second) is not None
    return replace(first, behind=second) if is_own and relu else None


def _pads_with_zeros(layer: Any) -> bool:
    known = type(layer) is layers.ZeroPadding2D
    return known and layer.data_format == "channels_last"


def _takes_padding(layer: keras.Layer) -> bool:
    valid = getattr(layer, "padding", None) == "valid"
    return valid and _has_own_convolution(layer) and len(layer.strides) == 2


def _recognised(step: Step) -> Step:
    """Return the step with a `Linear` or `Norm` for a layer that is one."""
    layer = step.operation
    if not _is_known(layer) or not step.is_plain() or len(step.args) != 1:
        return step
    if type(layer) in LINEAR:
        return replace(step, operation=Linear(layer), kwargs={})
    last = len(step.args[0].shape) - 1
    is_last = layer.axis in (-1, last, [last])
    return replace(step, operation=Norm(layer), kwargs={}) if is_last else step


def _is_known(layer: Any) -> bool:
    """Whether it is a linear layer or batch norm that computes as its type says.

    Half precision rounds on its way, and LoRA or quantised kernels are not arrays: such
    layers are left as they are. So are those with channels first.
    """
    if type(layer) not in (*LINEAR, layers.BatchNormalization):
        return False
    own = layer.compute_dtype == layer.variable_dtype in ("float32", "float64")
    array = not getattr(layer, "lora_enabled", False) and not layer.quantization_mode
    return own and array and getattr(layer, "data_format", "") != "channels_first"


def _is_identity(step: Step) -> bool:
    layer = step.operation
    linear = type(layer) is layers.Activation and _is_linear(layer)
    return (type(layer) in IDENTITIES or linear) and step.is_plain()


def _is_linear(layer: Any) -> bool:
    return getattr(layer, "activation", None) in (None, keras.activations.linear)


def _operation(step: Step, precision: str) -> Any:
    """Return the fastest equal operation."""
    operation = step.operation
    own = precision == "float32"
    if not isinstance(operation, Linear | Norm):
        return _pooling_or_itself(operation if own else _in_half(operation))
    layer, shape = operation.layer, step.args[0].shape
    dtype = layer.dtype if own else precision
    if isinstance(operation, Norm):
        return Affine(operation, dtype)
    if _has_own_convolution(layer):
        stem = suits_space_to_depth(operation, shape)
        return (
            SpaceToDepth(operation, shape, dtype)
            if stem
            else Convolution(operation, dtype)
        )
    if own and operation.norm is None:
        return layer
    return Folded(operation, shape, dtype)


def _pooling_or_itself(layer: Any) -> Any:
    pools = type(layer) is layers.MaxPooling2D
    if (
        pools
        and layer.data_format == "channels_last"
        and backend.max_pool_is_faster(layer)
    ):
        return MaxPooling(layer, layer.dtype_policy)
    return layer


def _has_own_convolution(layer: keras.Layer) -> bool:
    if type(layer) is layers.Dense or type(layer) in TRANSPOSED:
        return False
    return layer.padding in ("valid", "same") and backend.convolution_is_faster(layer)


def _in_half(layer: Any) -> Any:
    """Return a shallow copy that computes in bfloat16, if it is one of Keras' simple layers."""
    if not isinstance(layer, keras.Layer) or layer.compute_dtype != "float32":
        return layer
    foreign = not type(layer).__module__.startswith("keras.")
    nested = any(isinstance(value, keras.Layer) for value in vars(layer).values())
    if foreign or nested or isinstance(layer, keras.Model):
        return layer
    half = shallow_copy(layer)
    half.dtype_policy = "mixed_bfloat16"
    return half


def _first_output(step: Step) -> keras.KerasTensor:
    return keras.tree.flatten(step.outputs)[0]
