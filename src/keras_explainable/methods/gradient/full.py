"""Full gradients: of the input and of each bias."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable import backend, filters, inspection, units
from keras_explainable.compilation import compiled
from keras_explainable.graph import Graph, Step, inlined
from keras_explainable.inspection.biases import has_bias
from keras_explainable.inspection.exposing import is_exposed, layers_exposed, tap
from keras_explainable.inspection.logits import (
    activation_of,
    rewritten,
    with_activation,
)
from keras_explainable.preparing import prepares
from keras_explainable.types import Model, Tensor

#: |x|, rescaled to 0..1 for each image and layer.
absolute_normalize = partial(filters.absolute_normalize, axis=(1, 2, 3))


def _prepare(model: Model, params: dict[str, Any]) -> Model:
    """Return the model with the outputs of all layers with a bias exposed."""
    return model if is_exposed(model) else rewritten(model, _with_biases_exposed)


@prepares(_prepare)
def full_gradients(
    model: Model,
    inputs: Tensor,
    indices: Tensor | None = None,
    *,
    biases: list[Any] | None = None,
    psi: Callable[[Tensor], Tensor] | None = absolute_normalize,
    rows: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the chosen units and their full gradients.

        maps = sum_c psi(x * df/dx) + sum_l upsample(sum_c psi(b_l * df/dz_l))

    z_l is what layer l, with the bias b_l, puts out before its activation. A network of
    ReLUs is the sum of all these terms, without psi; layers without spatial output
    (Dense) have no place in a map and are left out.

    Args:
        model: as for ``gradients``; or one that has the outputs of layers with a bias
            exposed behind its own (``ke.inspection.expose``).
        inputs: (B, H, W, C).
        indices: units to explain (B, K), or (B,); None explains every unit.
        biases: (C,) for each exposed layer (``ke.inspection.biases``); None takes
            those of the exposed layers themselves.
        psi: applied to each term (B, h, w, C), or None.
        rows: not used: the method runs on all inputs at once.

    Returns:
        ``logits`` (B, K), and ``maps`` (B, H, W, K).

    Raises:
        ValueError: if inner layers are not known, or ``biases`` do not fit them.

    Reference: Srinivas & Fleuret, 2019, https://arxiv.org/abs/1905.00780
    """
    inputs = units.as_inputs(model, inputs)
    model = _prepare(model, {})
    if biases is None:
        biases = inspection.biases(layers_exposed(model)[1])
    _check_biases(biases, model)
    indices = units.as_indices(indices, len(inputs), units.count_units(model))
    step = compiled(partial(_full_gradients, psi=psi), model)
    # For each row, as all that a compiled step takes.
    tiled = [np.tile(bias, (len(inputs), 1)) for bias in biases]
    return step(inputs, indices, *(ops.cast(bias, inputs.dtype) for bias in tiled))


def _full_gradients(
    model: Model, inputs: Tensor, indices: Tensor, *biases: Tensor, psi: Any
) -> tuple[Tensor, Tensor]:
    run, zeros = tap(model, inputs)
    outputs, pullback, _ = backend.vjp(
        lambda both: run(both[0], both[1:]), [inputs, *zeros]
    )

    def one_map(cotangent: Tensor) -> Tensor:
        gradient, *inner = pullback(cotangent)
        total = _term(inputs * gradient, psi, inputs.shape)
        for derivative, bias in zip(inner, biases, strict=True):
            if len(derivative.shape) == 4:
                term = derivative * bias[:, None, None, :]
                total = total + _term(term, psi, inputs.shape)
        return total

    return units.maps_of_units(outputs, indices, one_map)


def _term(products: Tensor, psi: Any, shape: Any) -> Tensor:
    """Return one term of the sum (B, H, W), from products (B, h, w, C)."""
    if psi is not None:
        products = psi(products)
    summed = ops.sum(products, axis=-1, keepdims=True)
    if summed.shape[1:3] != shape[1:3]:
        summed = ops.image.resize(
            summed, shape[1:3], "bilinear", data_format="channels_last"
        )
    return summed[..., 0]


def _check_biases(biases: list[Any], model: Model) -> None:
    received = [np.shape(bias) for bias in biases]
    wanted = [(output.shape[-1],) for output in model.outputs[1:]]
    if received != wanted:
        raise ValueError(
            f"`biases` must have shapes {wanted}, one for each exposed layer; received "
            f"{received}."
        )


def _with_biases_exposed(graph: Graph) -> Graph:
    """Return the graph that outputs what layers with a bias do, before activations."""
    flat = inlined(graph)
    steps = [part for step in flat.steps for part in _parted(step)]
    first = keras.tree.flatten(flat.outputs)[0]
    found = [step.outputs for step in steps if has_bias(step.operation)]
    return replace(flat, steps=tuple(steps), outputs=[first, *found]).pruned()


def _parted(step: Step) -> list[Step]:
    """Return the step with its activation as a step of its own."""
    activation = activation_of(step.operation)
    if not has_bias(step.operation) or activation in (None, keras.activations.linear):
        return [step]
    between = keras.KerasTensor(step.outputs.shape, dtype=step.outputs.dtype)
    linear = with_activation(step.operation, keras.activations.linear)
    return [
        replace(step, operation=linear, outputs=between),
        Step(layers.Activation(activation), (between,), {}, step.outputs),
    ]
