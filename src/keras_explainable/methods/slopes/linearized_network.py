"""A network linearized under noise: mean slopes stand in for its nonlinear steps.

``exposed_model`` rewrites a model so that it also outputs the values that determine the
slopes. Means over noisy copies of statistics of these values give the mean slopes; one
more pass that uses them is linear in the input.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import flatten
from keras_explainable.common.warnings import warn
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.methods.slopes import max_pooling
from keras_explainable.methods.slopes.approximated_steps import approximated_steps
from keras_explainable.methods.slopes.nonlinearities import Nonlinearity, elementwise
from keras_explainable.methods.slopes.normalizations import normalization_or_softmax
from keras_explainable.methods.slopes.relu_before_pooling import relus_before
from keras_explainable.network import output_units
from keras_explainable.network.activations import activation_of, with_split_activations
from keras_explainable.network.fixed_factors import rules_of
from keras_explainable.network.graph import Graph, GraphModel, Step, by_symbol
from keras_explainable.network.mask_passing import (
    MaskPassing,
    makes_mask,
    passes_mask,
    starts_mask,
)
from keras_explainable.network.opened_attention import with_opened_attention
from keras_explainable.network.operation_kinds import IDENTITIES, LINEAR, keras_name
from keras_explainable.network.rows_of_steps import tensors_by_row
from keras_explainable.network.trace_model import inlined
from keras_explainable.types import Model, Tensor

#: Layers without a kernel that are affine.
_AFFINE_LAYERS = (
    layers.Add, layers.Average, layers.AveragePooling1D, layers.AveragePooling2D,
    layers.AveragePooling3D, layers.BatchNormalization, layers.CategoryEncoding,
    layers.Concatenate, layers.Cropping1D, layers.Cropping2D, layers.Cropping3D,
    layers.Flatten, layers.GlobalAveragePooling1D, layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D, layers.Normalization, layers.Permute,
    layers.RepeatVector, layers.Rescaling, layers.Reshape, layers.Resizing,
    layers.Subtract, layers.UpSampling1D, layers.UpSampling2D, layers.UpSampling3D,
    layers.ZeroPadding1D, layers.ZeroPadding2D, layers.ZeroPadding3D,
)  # fmt: skip

#: Names of affine operations; products and quotients are affine only with a constant.
_AFFINE_OPERATIONS = {
    "Add", "ArraySplit", "AveragePool", "BroadcastTo", "Concatenate", "ExpandDims",
    "Flatten", "GetItem", "Mean", "Moveaxis", "Negative", "Pad", "Reshape", "Split",
    "Squeeze", "Stack", "Subtract", "Sum", "Swapaxes", "Transpose", "Unstack",
}  # fmt: skip
_PRODUCTS = {"Multiply", "Divide", "TrueDivide", "Matmul", "Dot", "Einsum"}

#: Tensors for each nonlinearity: its statistics, or its slopes.
StepStatistics = list[list[Tensor]]

#: Layers with a kernel; their activation becomes a step of its own.
_WITH_KERNEL = (*LINEAR, layers.EinsumDense)


def exposed_model(model: Model) -> Model | None:
    """Return a model that also outputs the values that determine the slopes.

    None if the graph of the model is not known. A warning names the steps whose slopes
    are only approximated.
    """
    if is_exposed(model):
        return model
    exposed = rewritten_model(model, _expose_recorded)
    if not isinstance(exposed, GraphModel):
        return None
    if folded := steps_with_other_rows(exposed):
        raise ValueError(
            "`model` must keep one row for each image in its nonlinear steps, for "
            f"mean slopes; received one that folds an axis into the batch: {folded}."
        )
    if names := _approximated_steps(exposed):
        warn(
            "The slopes of these layers are taken at the mean of their inputs alone, "
            f"which adds to the bias: {', '.join(names)}."
        )
    return exposed


def model_with_known_slopes(model: Model) -> Model | None:
    """Return the exposed model if the mean slopes of all its nonlinear steps are known.

    None if a step is only approximated, if there is none, or if the model has several
    inputs, an input of few values, from which the errors could not be estimated, a
    fixed number of rows, or a graph that is not known.
    """
    if is_exposed(model):
        return model
    exposed = rewritten_model(model, _expose_recorded)
    if not isinstance(exposed, GraphModel) or exposed.required_rows is not None:
        return None
    inputs = flatten(exposed.graph.inputs)
    sizes = [size for x in inputs for size in x.shape[1:]]
    large = None in sizes or math.prod(sizes) >= _FEWEST_VALUES
    nonlinear = len(inputs) == 1 and large and any(nonlinearities(exposed.graph))
    unknown = steps_with_other_rows(exposed) or _approximated_steps(exposed)
    return exposed if nonlinear and not unknown else None


def steps_with_other_rows(model: GraphModel) -> list[str]:
    """Return the names of nonlinear steps that read other rows than the inputs have."""
    return _folded.get(model, None, partial(_steps_with_other_rows, model))


def _steps_with_other_rows(model: GraphModel) -> list[str]:
    graph = original_graph(model)
    by_row = tensors_by_row(graph)
    return [
        each.step.operation.name
        for each in nonlinearities(graph)
        if not {id(x) for x in (*each.step.reads, *flatten(each.step.outputs))}
        <= by_row
    ]


def is_exposed(model: Model) -> bool:
    """Whether ``exposed_model`` made the model, or the model that it is a copy of."""
    if not isinstance(model, GraphModel) or not isinstance(model.graph.outputs, list):
        return False
    _, *exposed = keras.tree.flatten(model.graph.outputs)
    recorded = _recorded_symbols(nonlinearities(original_graph(model)))
    return [*map(id, exposed)] == [*map(id, recorded)]


def nonlinearities(graph: Graph) -> list[Nonlinearity]:
    """Return the nonlinear steps of a graph."""
    times, pools = graph.times_read(), filter(max_pooling.is_max_pooling, graph.steps)
    before = {id(pool.outputs): relus_before(pool, graph, times) for pool in pools}
    merged = {relu for _, relus in before.values() for relu in relus}

    def nonlinearity(step: Step) -> Nonlinearity:
        if id(step.outputs) in merged:
            return max_pooling.MergedReLU(step)
        if id(step.outputs) in before:
            relu_max, relus = before[id(step.outputs)]
            return max_pooling.pooling_nonlinearity(step, relu_max, merged=bool(relus))
        return elementwise(step) or normalization_or_softmax(step) or Nonlinearity(step)

    return [nonlinearity(step) for step in graph.steps if not _is_affine(step)]


def original_graph(model: GraphModel) -> Graph:
    """Return the graph with the model's own layers, also for a lowered model."""
    return getattr(model, "original", model.graph)


#: The values of an input from which on inner products of maps tell their errors.
_FEWEST_VALUES = 100

_approximated, _folded = ModelCache(capacity=1), ModelCache(capacity=1)


def _approximated_steps(model: GraphModel) -> list[str]:
    """Return the names of the steps whose slopes are taken at their mean input."""
    nonlinear = nonlinearities(original_graph(model))
    return _approximated.get(model, None, partial(approximated_steps, nonlinear))


def _expose_recorded(graph: Graph) -> Graph:
    flat = inlined(graph)
    if any(map(rules_of, flat.steps)):
        raise ValueError(
            "`estimator` must be 'sampled' for gradients that follow rules, such as "
            "those of `libragrad`: the other estimators approximate derivatives."
        )
    if not any(map(starts_mask, flat.steps)):  # Which operations do not pass on.
        flat = with_opened_attention(flat)
    flat = with_split_activations(flat, lambda each: type(each) in _WITH_KERNEL)
    recorded = _recorded_symbols(nonlinearities(flat))
    return replace(flat, outputs=[flat.outputs, *recorded])


def _recorded_symbols(nonlinearities: Sequence[Nonlinearity]) -> list[Any]:
    """Return the symbols that the nonlinearities record, each of them once."""
    return [*{id(x): x for each in nonlinearities for x in each.recorded}.values()]


def _is_affine(step: Step) -> bool:
    operation, kind, name = (
        step.operation,
        type(step.operation),
        keras_name(step.operation),
    )
    if kind in _WITH_KERNEL or kind is layers.Activation:
        return activation_of(operation) in (None, keras.activations.linear)
    if kind in _AFFINE_LAYERS or kind in IDENTITIES:
        return True
    if isinstance(operation, keras.Layer):
        return False
    divides = name in ("Divide", "TrueDivide")
    if divides and not isinstance(step.args[0], keras.KerasTensor):
        return False  # A constant divided by the tensor.
    if name in _PRODUCTS and len(step.reads) == 1:
        return True
    return name in _AFFINE_OPERATIONS


def mean_slopes(model: GraphModel, means: StepStatistics) -> StepStatistics:
    """Return the slopes of each nonlinearity, given its mean statistics (B, ...).

    Those with the same rule are computed at once, which compiles faster.
    """
    nonlinear = nonlinearities(original_graph(model))
    groups = dict[Any, list[int]]()
    for number, one in enumerate(nonlinear):
        groups.setdefault(one.rule() or number, []).append(number)

    def all_slopes(means: StepStatistics) -> StepStatistics:
        firsts = (nonlinear[numbers[0]] for numbers in groups.values())
        return [[*one.slopes(*its)] for one, its in zip(firsts, means, strict=True)]

    joined = [_joined([means[n] for n in numbers]) for numbers in groups.values()]
    found = backend.fused(all_slopes)(joined)
    slopes = dict[int, list[Tensor]]()
    for numbers, its in zip(groups.values(), found, strict=True):
        slopes |= zip(numbers, _parted(its, [means[n] for n in numbers]), strict=True)
    return [slopes[number] for number in range(len(nonlinear))]


def _joined(parts: StepStatistics) -> list[Tensor]:
    """Return the statistics of several steps in a row (B, values); of one as it is."""
    if len(parts) == 1:
        return parts[0]
    rows = ([ops.reshape(x, (x.shape[0], -1)) for x in its] for its in parts)
    return [ops.concatenate(each, axis=1) for each in zip(*rows, strict=True)]


def _parted(rows: list[Tensor], like: StepStatistics) -> StepStatistics:
    """Return the slopes of several steps, given them in a row, in their shapes."""
    if len(like) == 1:
        return [rows]
    shapes = [tuple(first.shape) for first, *_ in like]
    ends = np.cumsum([math.prod(shape[1:]) for shape in shapes])[:-1].tolist()
    parts = zip(*(ops.split(row, ends, axis=1) for row in rows), strict=True)
    return [
        [ops.reshape(x, shape) for x in each]
        for each, shape in zip(parts, shapes, strict=True)
    ]


def linearized_maps(
    model: GraphModel, inputs: Tensor, indices: Tensor, slopes: StepStatistics
) -> Tensor:
    """Return the maps (B, ..., K) of the network with linearized nonlinearities.

    Args:
        model: An exposed model.
        inputs: Inputs (B, ...), of which only the shape matters.
        indices: Units to explain (B, K).
        slopes: The slopes of each nonlinearity, each (B, ...).
    """
    nonlinear = nonlinearities(original_graph(model))
    pairs = zip(nonlinear, slopes, strict=True)
    linearized = {first_symbol(one.step): (one, its) for one, its in pairs}
    masks = any(map(makes_mask, model.graph.steps))

    def run(x: Tensor) -> tuple[Tensor, tuple[()]]:
        values = by_symbol(model.graph.inputs, (x,))
        for step in model.graph.steps:
            one, its_slopes = linearized.get(first_symbol(step), (None, ()))
            if one is None:
                values |= step.run(values)
            else:
                reads = [values[id(symbol)] for symbol in one.step.reads]
                function = partial(one.linearized, its_slopes)
                if masks and passes_mask(one.step):
                    function = MaskPassing(function)
                outputs = function(*reads)
                values |= by_symbol(one.step.outputs, outputs)
        return values[first_symbol(model.graph)], ()

    outputs, pullback, _ = backend.vjp(run, inputs)
    return output_units.maps_of_units(outputs, indices, pullback)[1]


def first_symbol(graph: Graph | Step) -> int:
    """Return the ``id`` of the first tensor that a graph or step writes."""
    return id(keras.tree.flatten(graph.outputs)[0])
