"""Test-time augmentation: any method, averaged over changed inputs."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import keras
import numpy as np
from keras import ops

from keras_explainable.common import checks
from keras_explainable.common.interpolation import interpolated
from keras_explainable.execution.compilation import call_method, display_name
from keras_explainable.execution.method_checks import check_method
from keras_explainable.execution.model_preparation import (
    prepared_model,
    prepares_model,
    shows_layers,
)
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.inspection.places_of_layers import enlarged, places_of_exposed
from keras_explainable.network.graph import Graph, by_symbol, substituted
from keras_explainable.network.trace_model import inlined
from keras_explainable.sampling.averaging_loop import MethodCall, looping_method
from keras_explainable.types import Method, Model, Tensor


def tta(
    method: Method,
    scales: Sequence[float] = (0.5, 1.5, 2.0),
    hflip: bool = True,
    resize_method: str = "bilinear",
    shifts: Sequence[int] = (),
) -> Method:
    """Return ``method`` averaged over augmented inputs (test-time augmentation).

        maps = mean over augmentations v of v^-1( method(v(x)) )

    The augmented inputs are the input itself and the input scaled, and with ``hflip``
    each of these flipped from left to right as well; with ``shifts``, all that for the
    input moved along its spatial axes, too. Maps are flipped and moved back and, with
    ``scales`` or ``shifts``, resized to the size of the input. A function for ``y`` is
    given the outputs for each of them: it must not name a position, such as one
    pixel's.

    Args:
        method: Explanation method to wrap.
        scales: Factors of all spatial axes, such as height and width. They may be given
            for a Functional or Sequential model built for one size, unless its layers
            need that size: then ``scales`` must be ().
        hflip: Whether to flip the last spatial axis: the width of images and volumes,
            the time of signals.
        resize_method: Interpolation of images and their maps, as in
            ``keras.ops.image.resize``; signals and volumes are interpolated linearly.
        shifts: Distances in pixels. The input is moved by each of them, or not at all,
            along each spatial axis: n distances give (n + 1)^2 images. Values at the
            border are repeated, and positions that were moved out do not count. Those
            below the side of a patch make the grid of patches in maps of vision
            transformers fainter.

    Returns:
        A method with the same signature. Logits (B, K) are those of the input itself;
        maps have the shape of ``method``'s, (B, h, w, K), or (B, H, W, K): with scales
        or shifts, or of layers that do not see the whole input.

    Raises:
        ValueError: If a scale is not above 0, the model takes only one size, or the
            inputs have no spatial axes.
        TypeError: If ``method`` cannot be called, or a parameter is of another type.
    """
    check_method(method)
    if not isinstance(scales, list | tuple):
        raise TypeError(f"`scales` must be a list or tuple; received {scales!r}.")
    checks.number_or_numbers("scales", scales, 1e-6)
    checks.boolean("hflip", hflip)
    for distance in _as_distances(shifts):
        checks.integer("shifts", distance, -checks.MAX_INTEGER)
    flips = (False, True) if hflip else (False,)
    of_layers = shows_layers(method)

    def prepare(model: Model, params: dict[str, Any]) -> Model:
        model = rewritten_model(model, _of_any_size) if scales else model
        return prepared_model(method, model, params)

    def augmented(call: MethodCall, **params: Any) -> tuple[Tensor, Tensor]:
        model = prepare(call.model, params)
        run = partial(call_method, method, model, rows=call.rows, ids=call.ids)
        own = _spatial_size(call.inputs)
        flipped = partial(ops.flip, axis=len(own))  # The last one: the width of images.
        sizes = dict.fromkeys(_scaled(own, scale) for scale in (1, *scales))
        offsets = dict.fromkeys(itertools.product((0, *shifts), repeat=len(own)))
        augmentations = [*itertools.product(offsets, sizes, flips)]
        resized = partial(interpolated, interpolation=resize_method)
        total, weights, count = cast(Any, 0.0), cast(Any, 0.0), len(augmentations)
        for number, (offset, size, flip) in enumerate(augmentations, start=1):
            inputs = _shifted(call.inputs, offset)
            inputs = interpolated(inputs, size, resize_method)
            inputs = flipped(inputs) if flip else inputs
            place = places_of_exposed(model, inputs)[0] if of_layers else None
            _, maps = run(inputs, call.indices, params)
            if place is not None and not place.is_whole():
                maps = enlarged(resized, maps, size, place)
            maps = flipped(maps) if flip else maps
            if scales or shifts:
                maps = resized(maps, own)
            weight = _stayed(own, offset, maps) if shifts else 1.0
            total = total + _shifted(maps, [-distance for distance in offset]) * weight
            weights = weights + weight
            call.progress(number * len(call.ids), count * len(call.ids))
        return call.logits, total / weights

    augmented.__name__ = f"tta({display_name(method)})"
    found = looping_method(augmented, samples=False, inner=method)
    moves = hflip or bool(scales) or bool(shifts)
    found.moves_positions = moves  # type: ignore[attr-defined]
    found.places_maps = bool(of_layers)  # type: ignore[attr-defined]
    return along_axes(prepares_model(prepare, shows_layers=of_layers)(found))


def _as_distances(shifts: Any) -> Sequence[Any]:
    if not isinstance(shifts, list | tuple):
        raise TypeError(f"`shifts` must be a list or tuple; received {shifts!r}.")
    return shifts


def _shifted(x: Tensor, offset: Sequence[int]) -> Tensor:
    """Return a tensor (B, *spatial, ...) moved by whole positions, borders repeated."""
    for axis, distance in enumerate(offset, start=1):
        if distance:
            positions = np.arange(x.shape[axis]) - distance
            x = ops.take(x, positions.clip(0, x.shape[axis] - 1), axis=axis)
    return x


def _stayed(size: tuple[int, ...], offset: Sequence[int], maps: Tensor) -> Tensor:
    """Return weights for maps (B, *size, ...): 0 where a position was moved out."""
    rank = len(maps.shape)
    inside = np.ones((1, *size, *(1,) * (rank - 1 - len(size))))
    for axis, (side, distance) in enumerate(zip(size, offset, strict=True), start=1):
        moved = np.arange(side) + distance
        along = np.expand_dims((moved >= 0) & (moved < side), [*range(1, rank - axis)])
        inside = inside * along
    return ops.convert_to_tensor(inside, maps.dtype)


def _of_any_size(graph: Graph) -> Graph:
    """Return the graph for inputs of any size; itself if it takes them."""
    first, *others = keras.tree.flatten(graph.inputs)
    if others or len(first.shape) < 3 or None in first.shape[1:-1]:
        return graph
    flat, steps = inlined(graph), []
    shape = (first.shape[0], *(None,) * (len(first.shape) - 2), first.shape[-1])
    start = keras.KerasTensor(shape, dtype=first.dtype, name=first.name)
    values = by_symbol(flat.inputs, (start,))
    for step in flat.steps:
        new = step.reading(values)
        outputs = new.operation.compute_output_spec(*new.args, **new.kwargs)
        _check_channels(new.operation, outputs)
        steps.append(replace(new, outputs=outputs))
        values |= by_symbol(step.outputs, outputs)
    outputs = substituted(flat.outputs, values)
    return replace(flat, inputs=(start,), steps=tuple(steps), outputs=outputs)


def _check_channels(operation: Any, outputs: Any) -> None:
    if any(symbol.shape[-1] is None for symbol in keras.tree.flatten(outputs)):
        raise ValueError(
            "`scales` must be () for a model that takes inputs of only one size; "
            f"received one with {operation.name!r}, whose output depends on the size."
        )


def _spatial_size(inputs: Tensor) -> tuple[int, ...]:
    if len(inputs.shape) < 3:
        raise ValueError(
            "`x` must have spatial axes, such as (B, H, W, C), to be scaled or "
            f"flipped; received shape {tuple(inputs.shape)}."
        )
    return tuple(inputs.shape[1:-1])


def _scaled(size: tuple[int, ...], scale: float) -> tuple[int, ...]:
    return tuple(max(round(scale * side), 1) for side in size)
