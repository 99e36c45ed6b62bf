"""A network with its nonlinear steps replaced by their slopes under noise.

The model is rewritten to output also what its nonlinear steps read; moments of that
under noise give the slopes, and one more run with these is linear in its input.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
from keras import layers, ops

from keras_explainable import backend, units
from keras_explainable.graph import Graph, GraphModel, Step, inlined, named
from keras_explainable.inspection.logits import activation_of, rewritten
from keras_explainable.methods.gradient.bends import (
    expected_slope,
    is_elementwise,
    is_max_pooling,
    windows,
    wins,
)
from keras_explainable.methods.gradient.full import split
from keras_explainable.operations import IDENTITIES, LINEAR
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


def exposed_model(model: Model) -> Model | None:
    """Return a model that also outputs what nonlinear steps read.

    None if the graph of the model is not known.
    """
    if is_exposed(model):
        return model
    exposed = rewritten(model, _exposing)
    return exposed if isinstance(exposed, GraphModel) else None


def is_exposed(model: Model) -> bool:
    """Whether ``exposed_model`` has made the model, or what it is a copy of."""
    if not isinstance(model, GraphModel):
        return False
    _, *shown = keras.tree.flatten(model.graph.outputs)
    if not isinstance(model.graph.outputs, list):
        return False
    wanted = _reads(bent_steps(model))
    return {*map(id, shown)} == {*map(id, wanted)}


def bent_steps(model: GraphModel) -> list[Step]:
    """Return the nonlinear steps of an exposed model, as its own layers do them."""
    graph = getattr(model, "original", model.graph)
    return [step for step in graph.steps if not _is_affine(step)]


def unknown(model: GraphModel) -> list[str]:
    """Return the names of the steps that are only linearised at the mean."""
    return [
        step.operation.name
        for step in bent_steps(model)
        if not is_elementwise(step.operation)
        and not is_max_pooling(step.operation)
        and not _is_bilinear(step)
    ]


def _is_bilinear(step: Step) -> bool:
    """Whether the derivatives of a step are linear, and so the same at the mean."""
    name = type(step.operation).__name__
    return name in ("Multiply", "Matmul", "Einsum") and len(step.reads()) <= 2


def _exposing(graph: Graph) -> Graph:
    flat = inlined(graph)
    steps = [part for step in flat.steps for part in _parted(step)]
    first = keras.tree.flatten(flat.outputs)[0]
    whole = replace(flat, steps=tuple(steps), outputs=first).pruned()
    bent = [step for step in whole.steps if not _is_affine(step)]
    return replace(whole, outputs=[first, *_reads(bent)])


def _parted(step: Step) -> list[Step]:
    return split(step) if type(step.operation) in LINEAR else [step]


def _reads(steps: Sequence[Step]) -> list[Any]:
    """Return the tensors that the steps read, each of them once."""
    return list({id(x): x for step in steps for x in step.reads()}.values())


def _is_affine(step: Step) -> bool:
    operation, kind = step.operation, type(step.operation)
    straight = activation_of(operation) in (None, keras.activations.linear)
    if kind in LINEAR or kind is layers.Activation:
        return straight
    if kind in _AFFINE_LAYERS or kind in IDENTITIES:
        return True
    if isinstance(operation, keras.Layer):
        return False
    products = kind.__name__ in _PRODUCTS and len(step.reads()) == 1
    divides = kind.__name__ in ("Divide", "TrueDivide")
    if divides and not isinstance(step.args[0], keras.KerasTensor):
        return False  # A constant over the tensor.
    return products or kind.__name__ in _AFFINE_OPERATIONS


def telling(model: GraphModel, values: dict[int, Tensor]) -> list[Tensor]:
    """Return what tells the slopes by its mean over noisy copies, each (R, ...).

    For each elementwise step what it reads and the square of that; who wins in a
    pooling window; what any other step reads.

    Args:
        model: an exposed one.
        values: what the nonlinear steps read, (R, ...).
    """
    found: list[Tensor] = []
    for step in bent_steps(model):
        inputs = [ops.cast(values[id(x)], "float32") for x in step.reads()]
        if is_elementwise(step.operation):
            found += [inputs[0], ops.square(inputs[0])]
        elif is_max_pooling(step.operation):
            found.append(wins(step.operation, inputs[0]))
        else:
            found += inputs
    return found


def linearised_maps(
    model: GraphModel, inputs: Tensor, indices: Tensor, means: Sequence[Tensor]
) -> Tensor:
    """Return the maps (B, ..., K) of the network with slopes for nonlinear steps.

    Args:
        model: an exposed one.
        inputs: (B, ...), of which the shape alone matters.
        indices: units (B, K).
        means: of what ``telling`` returns, (B, ...).
    """
    slopes = _slopes(model, means)

    def run(x: Tensor) -> tuple[Tensor, tuple[()]]:
        values = named(model.graph.inputs, (x,))
        for step in model.graph.steps:
            made = slopes.get(id(keras.tree.flatten(step.outputs)[0]))
            values |= step.run(values) if made is None else _bent(made, values)
        return values[id(keras.tree.flatten(model.graph.outputs)[0])], ()

    outputs, pullback, _ = backend.vjp(run, inputs)
    return units.maps_of_units(outputs, indices, pullback)[1]


def _slopes(model: GraphModel, means: Sequence[Tensor]) -> dict[int, tuple[Step, Any]]:
    """Return each nonlinear step with its slopes, by the first tensor it writes."""
    left, found = iter(means), {}
    for step in bent_steps(model):
        if is_elementwise(step.operation):
            mean, square = next(left), next(left)
            slope: Any = expected_slope(step, mean, square - ops.square(mean))
        elif is_max_pooling(step.operation):
            slope = next(left)
        else:
            slope = [next(left) for _ in step.reads()]
        found[id(keras.tree.flatten(step.outputs)[0])] = step, slope
    return found


def _bent(made: tuple[Step, Any], values: dict[int, Any]) -> dict[int, Any]:
    """Return what a step writes, if it is a straight line of the known slope."""
    step, slope = made
    inputs = [values[id(x)] for x in step.reads()]
    if is_elementwise(step.operation):
        return {id(step.outputs): inputs[0] * ops.cast(slope, inputs[0].dtype)}
    if is_max_pooling(step.operation):
        places = windows(step.operation, inputs[0], 0.0)
        return {
            id(step.outputs): ops.sum(places * ops.cast(slope, places.dtype), axis=-1)
        }
    # The mean in value, the tensor in its derivatives.
    moved = {
        id(symbol): ops.cast(mean, x.dtype) + x - ops.stop_gradient(x)
        for symbol, mean, x in zip(step.reads(), slope, inputs, strict=True)
    }
    return step.run(values | moved)
