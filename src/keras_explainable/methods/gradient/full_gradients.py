"""Full gradients: of the input, of each bias, and of the biases of activations."""

import itertools
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend, filters
from keras_explainable.common.interpolation import interpolated, interpolated_sum
from keras_explainable.common.precision import rounding_of
from keras_explainable.common.warnings import warn
from keras_explainable.execution.compilation import compiled
from keras_explainable.execution.model_preparation import prepares_model
from keras_explainable.inspection import exposed_layers
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.biases import bias_of_output, has_bias
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.inspection.places_of_layers import (
    as_in_input,
    enlarged,
    is_shuffled,
    places_or_shuffled,
)
from keras_explainable.inspection.taps import with_taps
from keras_explainable.network import output_units
from keras_explainable.network.activations import activation_of, with_split_activations
from keras_explainable.network.fixed_factors import rules_of
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.network.model_inputs import check_single_input
from keras_explainable.network.operation_kinds import is_relu, relu_limit
from keras_explainable.network.place import Place
from keras_explainable.network.rows_of_steps import check_rows
from keras_explainable.network.time_distributed import (
    flattened,
    operation_on_frames,
)
from keras_explainable.types import Model, Tensor


def absolute_normalize(x: Tensor) -> Tensor:
    """Return |x| rescaled to 0..1, image by image."""
    return filters.absolute_normalize(x, axis=tuple(range(1, len(x.shape))))


#: Activations without a bias, a(z) = a'(z) z, and those that are not elementwise.
PLAIN = {"linear", "relu", "leakyrelu", "softmax", "logsoftmax", "sparsemax", "glu"}

#: Names of the other activations, as layers and operations.
BIASED = {name.replace("_", "") for name in dir(keras.activations)} - PLAIN


def _prepare(model: Model, params: dict[str, Any]) -> Model:
    """Return the model with the outputs that ``_expose_biased`` adds."""
    if exposed_layers.was_exposed(model):
        return model
    return rewritten_model(model, _expose_biased)


@along_axes
@prepares_model(_prepare)
def full_gradients(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    biases: list[Any] | None = None,
    psi: Callable[[Tensor], Tensor] | None = absolute_normalize,
    rows: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the logits and their full gradients.

        maps = sum_c psi(x * df/dx) + sum_l upsample(sum_c psi(b_l * df/dz_l))

    z_l is the output of layer l, which has the bias b_l, before its activation.
    Activations other than ReLUs have a bias as well, a(z) - a'(z) z: for a ReLU6 it is
    6 where z is above 6. Layers that rescale or normalize the input also have one.
    Layers without spatial output (Dense) have no place in a map and are left out; so
    are those behind steps that shuffle positions, with a warning.

    With ``psi=None`` terms keep their sums when they are enlarged. The map then adds up
    to f(x), except for the layers left out, for products of inner values with each
    other (squeeze and excitation, layer normalization, attention), and for what custom
    layers and operations add, such as a constant.

    Args:
        model: As for ``gradients``; or a model that exposes the outputs of layers with
            a bias after its own (``ke.inspection.expose``): then only these layers
            count.
        inputs: Images (B, H, W, C).
        indices: Units to explain (B, K), or (B,); None explains every unit.
        biases: Biases (C,) of each exposed layer (``ke.inspection.biases``); None takes
            those of the exposed layers themselves.
        psi: Function applied to each term (B, h, w, C), or None.
        rows: Not used, as the method runs on all inputs at once.

    Returns:
        ``logits`` (B, K), and ``maps`` (B, H, W, K).

    Raises:
        ValueError: If inner layers are not known, or ``biases`` do not fit them.

    Reference: Srinivas & Fleuret, 2019, https://arxiv.org/abs/1905.00780
    """
    inputs = as_inputs(model, inputs)
    check_single_input(model, inputs)
    if len(inputs.shape) < 3:
        raise ValueError(
            "`x` must have spatial axes, such as (B, H, W, C), for full gradients; "
            f"received shape {tuple(inputs.shape)}."
        )
    model = _prepare(model, {})
    graph, exposed = exposed_layers.exposed_outputs(model)
    check_rows(graph, model.outputs[1:])
    nonlinear = _nonlinear_steps(graph.steps)
    if not exposed or not _are_exposed(nonlinear, graph):
        nonlinear = []  # The user exposed layers with a bias, or there is none.
    biased = exposed[: len(exposed) - 2 * len(nonlinear)]
    _warn_of_shuffled(model, exposed, inputs)
    biases = _biases_of_outputs(biases, biased, model.outputs[1 : len(biased) + 1])
    units = output_units.count_units(model)
    indices = output_units.as_indices(indices, len(inputs), units)
    activations = tuple(step.operation for step in nonlinear)
    run = partial(_full_gradients, psi=psi, nonlinear=activations)
    # One row for each input, as in all tensors that a compiled step takes.
    tiled = [np.repeat(bias, len(inputs), axis=0) for bias in biases]
    tensors = (ops.cast(bias, inputs.dtype) for bias in tiled)
    return compiled(run, model)(inputs, indices, *tensors)


def _full_gradients(
    model: Model,
    inputs: Tensor,
    indices: Tensor,
    *biases: Tensor,
    psi: Any,
    nonlinear: tuple[Any, ...],
) -> tuple[Tensor, Tensor]:
    run, zeros = _with_taps(model, inputs)
    outputs, pullback, values = backend.vjp(
        lambda both: run(both[0], both[1:]), [inputs, *zeros]
    )
    written = len(biases) + len(nonlinear)  # Outputs of activations come last.
    pairs = zip(nonlinear, values[len(biases) : written], strict=True)
    linear = itertools.starmap(_linear_part, pairs)
    all_biases = [
        *biases,
        *map(_difference, values[written:], linear),
    ]

    places = places_or_shuffled(model, inputs)

    def wanted(of_exposed: list[Any]) -> list[Any]:
        return [*of_exposed[: len(biases)], *of_exposed[written:]]

    def one_map(cotangent: Tensor) -> Tensor:
        gradient, *inner = pullback(cotangent)
        total = _term(inputs * gradient, psi, inputs.shape)
        for derivative, bias, place in zip(
            wanted(inner), all_biases, wanted(places), strict=True
        ):
            if _has_place(derivative, place, inputs):
                term = derivative * ops.cast(bias, derivative.dtype)
                term = _term(as_in_input(term, place), psi, inputs.shape, place)
                total = total + ops.cast(term, total.dtype)
        return total

    return output_units.maps_of_units(outputs, indices, one_map)


def _has_place(value: Tensor, place: Place | None, inputs: Tensor) -> bool:
    """Return whether the positions of a value can be shown in those of the inputs."""
    return len(value.shape) == len(inputs.shape) and not is_shuffled(place)


def _warn_of_shuffled(model: Model, layers: list[Any], inputs: Tensor) -> None:
    pairs = zip(layers, places_or_shuffled(model, inputs), strict=True)
    if names := {layer.name: None for layer, place in pairs if is_shuffled(place)}:
        warn(
            "The biases of these layers are left out, since steps before them shuffle "
            f"the positions of the input: {', '.join(names)}."
        )


def _with_taps(model: Model, inputs: Tensor) -> tuple[Any, list[Tensor]]:
    """Return the same as ``with_taps``, also for a network without biases."""
    if len(model.outputs) > 1:
        return with_taps(model, inputs)
    return lambda x, _: (output_units.units_of(model, x), []), []


def _difference(value: Tensor, part: Tensor) -> Tensor:
    """Return the difference of two tensors, and 0 where it is one of rounding.

    ``psi`` would make it as large as any other term.
    """
    largest = ops.maximum(ops.abs(value), ops.abs(part))
    rounding, difference = 8 * rounding_of(value) * largest, value - part
    return ops.where(ops.abs(difference) <= rounding, 0, difference)


def _linear_part(activation: Any, z: Tensor) -> Tensor:
    """Return z a'(z) for an elementwise activation a."""
    outputs, pullback, _ = backend.vjp(lambda x: (activation(x), ()), z)
    return z * pullback(ops.ones_like(outputs))


def _term(products: Tensor, psi: Any, shape: Any, place: Place | None = None) -> Tensor:
    """Return a term of the map (B, H, W), given products (B, h, w, C)."""
    size = tuple(shape[1:-1])
    if psi is None:
        return enlarged(interpolated_sum, ops.sum(products, axis=-1), size, place)
    return enlarged(interpolated, ops.sum(psi(products), axis=-1), size, place)


def _biases_of_outputs(
    biases: list[Any] | None, layers: list[Any], outputs: list[Any]
) -> list[np.ndarray]:
    """Return biases in the shape (1, ...), with the axes of their layers' outputs.

    Args:
        biases: Biases (C,) that the user has given, or None.
        layers: Exposed layers.
        outputs: Symbols of their outputs.

    Raises:
        ValueError: If there is not one bias for each exposed layer, of its channels.
    """
    if biases is None:
        ranks = (len(output.shape) for output in outputs)
        return [*map(bias_of_output, layers, ranks)]
    received = [np.shape(bias) for bias in biases]
    wanted = [(output.shape[-1],) for output in outputs]
    if received != wanted:
        raise ValueError(
            f"`biases` must have shapes {wanted}, one for each exposed layer; received "
            f"{received}."
        )
    pairs = zip(biases, outputs, strict=True)
    return [np.reshape(x, (1,) * (len(y.shape) - 1) + (-1,)) for x, y in pairs]


def _expose_biased(graph: Graph) -> Graph:
    """Return the graph that also outputs the values that full gradients need.

    After the graph's own output come the outputs of layers with a bias, before their
    activations; then the inputs of activations with a bias; and then their outputs.
    """
    flat = with_split_activations(flattened(graph), has_bias)
    biased = [step.outputs for step in flat.steps if has_bias(step.operation)]
    ends = _ends(_nonlinear_steps(flat.steps))
    return replace(flat, outputs=[flat.outputs, *biased, *ends], exposed=True)


def _nonlinear_steps(steps: Iterable[Step]) -> list[Step]:
    """Return the activations that have a bias, and a place in a map."""
    return [
        step
        for step in steps
        if _is_nonlinear(step.operation)
        and len(step.outputs.shape) > 2
        and rules_of(step) is None  # Its derivative is the slope: there is no bias.
    ]


def _ends(steps: list[Step]) -> list[Any]:
    """Return the inputs of the steps, and then their outputs."""
    return [*(step.reads[0] for step in steps), *(step.outputs for step in steps)]


def _are_exposed(nonlinear: list[Step], graph: Graph) -> bool:
    ends, exposed = _ends(nonlinear), keras.tree.flatten(graph.outputs)
    last = exposed[len(exposed) - len(ends) :]
    return all(a is b for a, b in zip(ends, last, strict=True))


def _is_nonlinear(operation: Any) -> bool:
    """Whether it is elementwise and has a bias a(z) - a'(z) z, unlike a ReLU."""
    operation = operation_on_frames(operation)
    if isinstance(operation, layers.Rescaling | layers.Normalization):
        return True
    if is_relu(operation):
        return relu_limit(operation) != math.inf
    if isinstance(operation, layers.Activation):
        return _plain_name(activation_of(operation)) not in PLAIN
    return _plain_name(type(operation)) in BIASED


def _plain_name(function: Any) -> str:
    return str(getattr(function, "__name__", "")).lower().replace("_", "")
