"""Grad-CAM and its variants: a layer's channels, weighted by their gradients."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import ops

from keras_explainable import backend
from keras_explainable.common.precision import widened
from keras_explainable.common.structures import Nested
from keras_explainable.execution.model_preparation import prepares_model, takes_tokens
from keras_explainable.inspection import exposed_layers
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.find_calls import Endpoint
from keras_explainable.inspection.places_of_layers import (
    as_in_input,
    places_of_exposed,
)
from keras_explainable.inspection.taps import with_taps
from keras_explainable.inspection.token_grid import GivenGrid
from keras_explainable.methods.cams.shown_positions import (
    maps_at_shown,
    shown_positions,
)
from keras_explainable.network import output_units
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.network.time_distributed import (
    frame_axes,
    frames_of_rows,
    rows_of_frames,
)
from keras_explainable.types import Method, Model, Tensor

Weigh = Callable[[Tensor, Tensor], Tensor]
Prepare = Callable[[Model, dict[str, Any]], Model]

#: Function from the derivatives by the units to those by the exposed layers.
Gradients = Callable[[Tensor], list[Tensor]]


def exposed(model: Model, params: dict[str, Any]) -> Model:
    """Return the model with a layer's output exposed; the model itself if it is.

    A layer that is given replaces those that the user has exposed. Tokens are put on
    their grid.
    """
    layer = params.get("layer")
    given = GivenGrid.of(params.get("grid"), params.get("skip_tokens"))
    if exposed_layers.is_exposed(model):
        if exposed_layers.exposes_for_each_input(model):
            return model
        if layer is None:
            return exposed_layers.on_token_grids(model, given)
    return exposed_layers.expose_for_each_input(model, layer, given)


def weighted_by_gradients(weigh: Weigh) -> Method:
    """Return a method with the name and docstring of ``weigh(activations, gradients)``.

    The function takes both (B, h, w, C) of one unit and returns its maps (B, h, w).
    """

    @takes_tokens
    @prepares_model(exposed, shows_layers=True)
    def method(
        model: Model,
        inputs: Tensor,
        indices: Tensor | None = None,
        *,
        layer: Endpoint | None = None,
        grid: tuple[int, ...] | None = None,
        skip_tokens: int | tuple[int, int] | None = None,
    ) -> tuple[Tensor, Nested]:
        params = {"layer": layer, "grid": grid, "skip_tokens": skip_tokens}
        model = exposed(model, params)
        return weighted_maps(weigh, model, inputs, indices)

    for name in ("__name__", "__qualname__", "__doc__"):
        setattr(method, name, getattr(weigh, name))
    return along_axes(method)


def weighted_maps(
    weigh: Weigh,
    model: Model,
    inputs: Tensor,
    indices: Tensor | None,
    gradients_of: Callable[[Tensor, Gradients], Gradients] = lambda _, own: own,
) -> tuple[Tensor, Nested]:
    """Return the logits (B, K) and the maps that weighted activations give.

    Args:
        weigh: Function of the activations and gradients of one unit.
        model: Model that exposes layers after its output.
        inputs: Inputs (B, ...).
        indices: Units to explain (B, K), (B,), or None.
        gradients_of: Function of all units (B, units), and of the function from the
            derivatives by them to those by the layers; returns another such function.
    """
    inputs = as_inputs(model, inputs)
    run, zeros = with_taps(model, inputs)
    outputs, pullback, activations = backend.vjp(lambda taps: run(inputs, taps), zeros)
    gradients = gradients_of(outputs, pullback)
    frames, shown = _frame_axes(model), shown_positions(model, inputs)
    places = places_of_exposed(model, inputs)

    def maps(one: Tensor) -> Nested:
        found = gradients(one)
        each = map(partial(_weighed, weigh), frames, activations, found)
        each = map(maps_at_shown, shown, each, found)
        each = map(as_in_input, each, places)
        return exposed_layers.by_input(model, [*each])

    return output_units.maps_of_units(outputs, indices, maps)


def _frame_axes(model: Model) -> list[int]:
    """Return the number of axes of each exposed value that hold frames."""
    graph, operations = exposed_layers.exposed_outputs(model)
    symbols = keras.tree.flatten(graph.outputs)[1:]
    pairs = zip(map(frame_axes, operations), symbols, strict=True)
    # Frames without spatial axes, (B, T, C), are themselves the positions of a map.
    return [axes if len(symbol.shape) > axes + 2 else 0 for axes, symbol in pairs]


def _weighed(weigh: Weigh, axes: int, activations: Tensor, gradients: Tensor) -> Tensor:
    """Return maps (B, ...), in which every frame has weights of its own."""
    activations, gradients = widened(activations), widened(gradients)
    frames = rows_of_frames(activations, axes), rows_of_frames(gradients, axes)
    return frames_of_rows(weigh(*frames), activations, axes)


def weigh_by_mean(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the sum (B, h, w) of the channels, weighted by their mean gradients."""
    weights = ops.mean(gradients, axis=spatial_axes(gradients), keepdims=True)
    return ops.sum(weights * activations, axis=-1)


@weighted_by_gradients
def gradcam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the logits and their Grad-CAM maps.

        maps = sum_c w_c A_c,   w_c = mean_hw df/dA_c

    Args:
        model: As for ``ke.methods.gradient.gradients``; or a model that exposes a layer
            after its own output (``ke.inspection.expose``).
        inputs: Images (B, H, W, C).
        indices: Units to explain (B, K), or (B,); None explains every unit.
        layer: Layer with the output A, by name or as an object, also within nested
            models; {"name": ..., "node": k} is the k-th of its calls. By default, A is
            the input of the global pooling, or the output of the last layer with
            spatial axes; of a transformer, whose tokens come after these, the input of
            the first normalization of its last block. Layers within a
            ``TimeDistributed`` have a map for each frame, with weights of its own,
            (B, T, h, w, K).
        grid: The sizes (h, w) of the grid of the layer's tokens; None if it shall be
            found, as ``ke.inspection.token_grid`` does.
        skip_tokens: Number of tokens before those of the grid, such as class tokens; or
            a pair of those before and after. They are not in the map.

    Returns:
        ``logits`` (B, K), and signed ``maps`` (B, h, w, K) of the layer's size. Their
        positive parts are the maps of the paper, which ``ke.gradcam`` returns. If the
        layer is called for several inputs, as in a Siamese network, there are maps for
        each of them, in the structure of the inputs; a dictionary by name if an input
        has none. Positions that a mask hides have maps of 0. If axes were permuted or
        flipped before the layer, the maps have the order of the input.

    Raises:
        ValueError: If the layer does not exist, if inner layers are not known, if steps
            before the layer roll or shuffle its positions, or if it has tokens whose
            grid is not known or does not fit.

    Reference: Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391
    """
    return weigh_by_mean(activations, gradients)


@weighted_by_gradients
def gradcampp(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the logits and their Grad-CAM++ maps.

        maps = sum_c w_c A_c,   w_c = sum_hw a_c relu(g_c),   g = df/dA
        a = g^2 / (2 g^2 + sum_hw A g^3)

    The score is exp(f), whose derivatives of higher order are powers of g.

    Arguments, results and errors are those of ``gradcam``.

    Reference: Chattopadhyay et al., 2018, https://arxiv.org/abs/1710.11063
    """
    axes = spatial_axes(gradients)
    squares = gradients**2
    total = ops.sum(activations * gradients**3, axis=axes, keepdims=True)
    divisor = 2 * squares + total
    alpha = ops.where(divisor != 0, squares / ops.where(divisor != 0, divisor, 1), 0)
    weights = ops.sum(alpha * ops.relu(gradients), axis=axes, keepdims=True)
    return ops.sum(weights * activations, axis=-1)


@weighted_by_gradients
def layercam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the logits and their LayerCAM maps.

        maps = sum_c relu(df/dA_c) A_c

    Arguments, results and errors are those of ``gradcam``.

    Reference: Jiang et al., 2021, https://doi.org/10.1109/TIP.2021.3089943
    """
    return ops.sum(ops.relu(gradients) * activations, axis=-1)


@weighted_by_gradients
def hirescam(activations: Tensor, gradients: Tensor) -> Tensor:
    """Return the logits and their HiResCAM maps.

        maps = sum_c df/dA_c A_c

    Arguments, results and errors are those of ``gradcam``.

    Reference: Draelos & Carin, 2020, https://arxiv.org/abs/2011.08891
    """
    return ops.sum(gradients * activations, axis=-1)


def spatial_axes(activations: Tensor) -> tuple[int, ...]:
    """Return the spatial axes of activations (B, h, w, C)."""
    return tuple(range(1, len(activations.shape) - 1))
