"""A network with its nonlinear steps replaced by their slopes under noise.

The model is rewritten to output also what its nonlinear steps read; means of that under
noise give the slopes, and one more run with these is linear in its input.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import is_float
from keras_explainable.common.warnings import warn
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.methods.slopes.max_pooling import Open, is_pooling, pooling
from keras_explainable.methods.slopes.nonlinearities import Nonlinearity, elementwise
from keras_explainable.methods.slopes.normalizations import normalization_or_softmax
from keras_explainable.methods.slopes.relu_before_pooling import relus_before
from keras_explainable.network import output_units
from keras_explainable.network.activations import activation_of, split_activation
from keras_explainable.network.graph import Graph, GraphModel, Step, by_symbol
from keras_explainable.network.operation_kinds import IDENTITIES, LINEAR
from keras_explainable.network.trace_model import inlined
from keras_explainable.types import Model, Tensor

#: Layers, beside those with a kernel, that are linear but for a constant.
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

#: Names of operations that are; products and quotients only by a constant.
_AFFINE_OPERATIONS = {
    "Add", "AveragePool", "BroadcastTo", "Concatenate", "ExpandDims", "Flatten",
    "GetItem", "Mean", "Negative", "Pad", "Reshape", "Squeeze", "Stack", "Subtract",
    "Sum", "Swapaxes", "Transpose",
}  # fmt: skip
_PRODUCTS = {"Multiply", "Divide", "TrueDivide", "Matmul", "Dot", "Einsum"}

#: For each nonlinear step tensors that tell its slopes.
StepStatistics = list[list[Tensor]]

#: Layers with a kernel, whose activation is a step of its own.
_WITH_KERNEL = (*LINEAR, layers.EinsumDense)


def exposed_model(model: Model) -> Model | None:
    """Return a model that also outputs what tells the slopes of nonlinear steps.

    None if the graph of the model is not known. A warning names the steps of which
    the slopes are not.
    """
    if is_exposed(model):
        return model
    exposed = rewritten_model(model, _exposing)
    if not isinstance(exposed, GraphModel):
        return None
    if names := unknown(exposed):
        warn(
            "The slopes of these layers are taken at the mean of their inputs alone, "
            f"which adds to the bias: {', '.join(names)}."
        )
    return exposed


def is_exposed(model: Model) -> bool:
    """Whether ``exposed_model`` has made the model, or what it is a copy of."""
    if not isinstance(model, GraphModel):
        return False
    _, *shown = keras.tree.flatten(model.graph.outputs)
    if not isinstance(model.graph.outputs, list):
        return False
    return [*map(id, shown)] == [
        *map(id, _recorded_symbols(nonlinearities(original_graph(model))))
    ]


def nonlinearities(graph: Graph) -> list[Nonlinearity]:
    """Return the nonlinear steps of a graph."""
    times, pools = graph.times_read(), filter(is_pooling, graph.steps)
    before = {id(pool.outputs): relus_before(pool, graph, times) for pool in pools}
    owned = {relu for _, relus in before.values() for relu in relus}

    def nonlinearity(step: Step) -> Nonlinearity:
        if id(step.outputs) in owned:
            return Open(step)
        if id(step.outputs) in before:
            end, relus = before[id(step.outputs)]
            return pooling(step, end, alone=bool(relus))
        return elementwise(step) or normalization_or_softmax(step) or Nonlinearity(step)

    return [nonlinearity(step) for step in graph.steps if not _is_affine(step)]


def original_graph(model: GraphModel) -> Graph:
    """Return the graph of the model's own layers, not of their faster copies."""
    graph: Graph = getattr(model, "original", model.graph)
    return graph


def unknown(model: GraphModel) -> list[str]:
    """Return the names of the steps whose slopes are only known at the mean.

    Products have linear derivatives, and so the same ones at the mean on average; a
    layer that turns out to be affine when it is tried has constant ones, and what
    writes no floats, or reads none, has none.
    """
    return [
        each.step.operation.name
        for each in nonlinearities(original_graph(model))
        if type(each) is Nonlinearity
        and _has_derivative(each.step)
        and not _is_product(each.step)
        and not _seems_affine(each)
    ]


def _has_derivative(step: Step) -> bool:
    written = keras.tree.flatten(step.outputs)
    return all(any(is_float(x) for x in each) for each in (step.reads, written))


def _is_product(step: Step) -> bool:
    name = type(step.operation).__name__
    return name in ("Multiply", "Matmul", "Einsum", "Dot") and len(step.reads) <= 2


def _seems_affine(nonlinearity: Nonlinearity) -> bool:
    """Whether the value half-way between two points is half-way between theirs."""
    rng, reads = np.random.default_rng(0), nonlinearity.step.reads
    if not all(map(is_float, [*reads, *keras.tree.flatten(nonlinearity.step.outputs)])):
        return False
    shapes = [[size or 8 for size in (1, *read.shape[1:])] for read in reads]
    ends = [[rng.normal(0, 30, shape) for shape in shapes] for _ in range(2)]
    middle = [(one + other) / 2 for one, other in zip(*ends, strict=True)]
    with keras.StatelessScope():  # A layer may keep what it has seen.
        one, other, between = (
            [
                *map(
                    ops.convert_to_numpy,
                    nonlinearity.step.run(_given(reads, point)).values(),
                )
            ]
            for point in (*ends, middle)
        )
    return all(
        np.abs(a + b - 2 * c).max() <= 1e-4 * np.abs(a - b).max()
        for a, b, c in zip(one, other, between, strict=True)
    )


def _given(reads: Sequence[Any], arrays: Sequence[Any]) -> dict[int, Tensor]:
    """Return tensors of the arrays, by the ``id`` of the symbols of that dtype."""
    return {
        id(read): ops.cast(array, read.dtype)
        for read, array in zip(reads, arrays, strict=True)
    }


def _exposing(graph: Graph) -> Graph:
    flat = inlined(graph)
    steps = [part for step in flat.steps for part in _parted(step)]
    first = keras.tree.flatten(flat.outputs)[0]
    whole = replace(flat, steps=tuple(steps), outputs=first).pruned()
    return replace(whole, outputs=[first, *_recorded_symbols(nonlinearities(whole))])


def _parted(step: Step) -> list[Step]:
    return split_activation(step) if type(step.operation) in _WITH_KERNEL else [step]


def _recorded_symbols(nonlinearities: Sequence[Nonlinearity]) -> list[Any]:
    """Return the symbols that the nonlinearities watch, each of them once."""
    return list(
        {
            id(x): x for nonlinearity in nonlinearities for x in nonlinearity.recorded
        }.values()
    )


def _is_affine(step: Step) -> bool:
    operation, kind = step.operation, type(step.operation)
    straight = activation_of(operation) in (None, keras.activations.linear)
    if kind in _WITH_KERNEL or kind is layers.Activation:
        return straight
    if kind in _AFFINE_LAYERS or kind in IDENTITIES:
        return True
    if isinstance(operation, keras.Layer):
        return False
    products = kind.__name__ in _PRODUCTS and len(step.reads) == 1
    divides = kind.__name__ in ("Divide", "TrueDivide")
    if divides and not isinstance(step.args[0], keras.KerasTensor):
        return False  # A constant over the tensor.
    return products or kind.__name__ in _AFFINE_OPERATIONS


def mean_slopes(model: GraphModel, means: StepStatistics) -> StepStatistics:
    """Return the slopes of each nonlinearity, by the means (B, ...) of what tells them."""
    made = nonlinearities(original_graph(model))

    def of_all(means: StepStatistics) -> StepStatistics:
        return [
            [*nonlinearity.slopes(*x)]
            for nonlinearity, x in zip(made, means, strict=True)
        ]

    slopes: StepStatistics = backend.fused(of_all)(means)
    return slopes


def linearized_maps(
    model: GraphModel, inputs: Tensor, indices: Tensor, slopes: StepStatistics
) -> Tensor:
    """Return the maps (B, ..., K) of the network with straight steps for its nonlinearities.

    Args:
        model: an exposed one.
        inputs: (B, ...), of which the shape alone matters.
        indices: units (B, K).
        slopes: of each nonlinearity, each (B, ...).
    """
    nonlinear = {
        id(keras.tree.flatten(nonlinearity.step.outputs)[0]): (nonlinearity, its_slopes)
        for nonlinearity, its_slopes in zip(
            nonlinearities(original_graph(model)), slopes, strict=True
        )
    }

    def run(x: Tensor) -> tuple[Tensor, tuple[()]]:
        values = by_symbol(model.graph.inputs, (x,))
        for step in model.graph.steps:
            first = id(keras.tree.flatten(step.outputs)[0])
            nonlinearity, its_slopes = nonlinear.get(first, (None, ()))
            if nonlinearity is None:
                values |= step.run(values)
            else:
                reads = [values[id(symbol)] for symbol in nonlinearity.step.reads]
                values |= nonlinearity.linearized(its_slopes, *reads)
        return values[id(keras.tree.flatten(model.graph.outputs)[0])], ()

    outputs, pullback, _ = backend.vjp(run, inputs)
    return output_units.maps_of_units(outputs, indices, pullback)[1]
