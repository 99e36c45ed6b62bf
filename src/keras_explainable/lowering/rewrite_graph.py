"""Rewrite a graph of layers into an equivalent graph that runs faster."""

from collections import Counter
from dataclasses import replace
from typing import Any

import keras
from keras import layers

from keras_explainable import backend
from keras_explainable.lowering import lowered_layers
from keras_explainable.lowering.fold_batchnorm import Linear, Norm
from keras_explainable.lowering.space_to_depth import SpaceToDepth, suits_space_to_depth
from keras_explainable.network import operation_kinds as kinds
from keras_explainable.network.activations import is_identity
from keras_explainable.network.graph import Graph, Step, by_symbol, ids, shallow_copy
from keras_explainable.network.trace_model import inlined


def simplified(graph: Graph) -> Graph:
    """Return an equivalent flat graph without layers that do nothing at inference."""
    graph = inlined(graph)
    steps: list[Step] = []
    replaced: dict[int, Any] = {}
    for step in graph.steps:
        step = step.reading(replaced)
        if is_identity(step):
            replaced |= by_symbol(step.outputs, step.args[0])
        else:
            steps.append(step)
    return graph.rewritten(steps, replaced)


def with_lowered_layers(graph: Graph, precision: str) -> Graph:
    """Return an equivalent graph with copies of layers where they are faster.

    Args:
        graph: Simplified graph.
        precision: "float32" keeps the precision of each layer; "bfloat16" applies to
            all steps but those that compute the outputs.
    """
    graph = fused(graph)
    outputs = ids(graph.outputs)
    # A layer that is called twice on inputs of the same shape is copied once.
    copies: dict[Any, Any] = {}

    def with_copy(step: Step) -> Step:
        if step.implementation is not None:
            return step
        is_head = id(_first_output(step)) in outputs
        dtype = "float32" if is_head else precision
        shapes = tuple(tensor.shape for tensor in step.reads)
        if (key := (step.operation, dtype, shapes)) not in copies:
            copies[key] = _fastest_operation(step, dtype)
        return replace(step, operation=copies[key])

    return replace(graph, steps=tuple(map(with_copy, graph.steps)))


def fused(graph: Graph) -> Graph:
    """Return the graph with `Linear` and `Norm` operations in place of known layers.

    Zero padding before a linear layer, and batch normalization and ReLU after it,
    become part of its operation if nothing else reads the tensors between them.
    """
    outputs = Counter(map(id, keras.tree.flatten(graph.outputs)))
    readers = graph.times_read() + outputs
    steps: dict[int, Step] = {}
    for step in graph.steps:
        step = _with_known_operation(step)
        between = id(step.args[0]) if step.args else 0
        before = steps.get(between)
        own = step.implementation or (before and before.implementation)
        if before and not own and step.is_plain() and readers[between] == 1:
            both = _fused(before.operation, step.operation)
            if both is not None:
                del steps[between]
                step = replace(before, operation=both, kwargs={}, outputs=step.outputs)
        steps[id(_first_output(step))] = step
    return replace(graph, steps=tuple(steps.values()))


def _fused(first: Any, second: Any) -> Linear | Norm | None:
    """Return one operation that does what both do, if there is one."""
    if isinstance(second, Linear):
        fits = _is_zero_padding(first) and _accepts_padding(second.layer)
        return replace(second, zero_padding=first) if fits else None
    if not isinstance(first, Linear | Norm) or not _is_linear(first):
        return None
    if isinstance(first, Linear) and isinstance(second, Norm):
        return None if first.norm else replace(first, norm=second)
    applies_relu = isinstance(first, Norm) or _has_faster_convolution(first.layer)
    is_relu = kinds.relu_limit(second) is not None
    return replace(first, relu=second) if applies_relu and is_relu else None


def _is_zero_padding(layer: Any) -> bool:
    return type(layer) is layers.ZeroPadding2D and layer.data_format == "channels_last"


def _accepts_padding(layer: keras.Layer) -> bool:
    valid = getattr(layer, "padding", None) == "valid"
    return valid and _has_faster_convolution(layer) and len(layer.strides) == 2


def _with_known_operation(step: Step) -> Step:
    """Return the step with a `Linear` or `Norm` for a layer that one can describe."""
    layer = step.operation
    if not _is_known(layer) or not step.is_plain() or len(step.args) != 1:
        return step
    if type(layer) in kinds.LINEAR:
        return replace(step, operation=Linear(layer), kwargs={})
    last = len(step.args[0].shape) - 1
    is_last = layer.axis in (-1, last, [last])
    return replace(step, operation=Norm(layer), kwargs={}) if is_last else step


def _is_known(layer: Any) -> bool:
    """Return whether it is a linear layer or batch normalization that can be copied.

    Layers in half precision are not, because they round intermediate results. Neither
    are layers with LoRA or quantized kernels, or with the channels first.
    """
    if type(layer) not in (*kinds.LINEAR, layers.BatchNormalization):
        return False
    full = layer.compute_dtype == layer.variable_dtype in ("float32", "float64")
    array = not getattr(layer, "lora_enabled", False) and not layer.quantization_mode
    return full and array and getattr(layer, "data_format", "") != "channels_first"


def _is_linear(layer: Any) -> bool:
    return getattr(layer, "activation", None) in (None, keras.activations.linear)


def _fastest_operation(step: Step, precision: str) -> Any:
    """Return the fastest equivalent operation."""
    operation = step.operation
    keeps_dtype = precision == "float32"
    if not isinstance(operation, Linear | Norm):
        return _fastest_pooling(operation if keeps_dtype else _in_bfloat16(operation))
    layer, shape = operation.layer, step.args[0].shape
    dtype = layer.dtype if keeps_dtype else precision
    if isinstance(operation, Norm):
        return lowered_layers.Affine(operation, dtype)
    if _has_faster_convolution(layer):
        if suits_space_to_depth(operation, shape):
            return SpaceToDepth(operation, shape, dtype)
        return lowered_layers.Convolution(operation, dtype)
    if keeps_dtype and operation.norm is None:
        return layer
    return lowered_layers.FoldedLayer(operation, shape, dtype)


def _fastest_pooling(layer: Any) -> Any:
    """Return a faster copy of a max pooling layer; ``layer`` if there is none."""
    if type(layer) is not layers.MaxPooling2D or layer.data_format != "channels_last":
        return layer
    if not backend.max_pool_is_faster(layer):
        return layer
    return lowered_layers.MaxPooling(layer, layer.dtype_policy)


def _has_faster_convolution(layer: keras.Layer) -> bool:
    if type(layer) is layers.Dense or type(layer) in kinds.TRANSPOSED:
        return False
    return layer.padding in ("valid", "same") and backend.convolution_is_faster(layer)


def _in_bfloat16(layer: Any) -> Any:
    """Return a copy in bfloat16 of a simple Keras layer; anything else as it is."""
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
