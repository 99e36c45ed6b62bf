"""Perturbation methods: parts of the input are hidden, and the scores are compared.

Like the other methods, they take a model, inputs (B, H, W, C) and units (B, K), and
return logits (B, K) and maps (B, H, W, K). They need no gradients and no inner layers.
"""

import math
from functools import lru_cache, partial, reduce
from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common import checks
from keras_explainable.common.structures import take_rows
from keras_explainable.execution.model_preparation import takes_tokens
from keras_explainable.inspection.axes import along_axes
from keras_explainable.inspection.embeddings import check_real_inputs
from keras_explainable.network import output_units
from keras_explainable.network.fill_values import as_fill
from keras_explainable.network.masked_steps import (
    known_unmasked_steps,
    maps_where_shown,
    where_shown,
)
from keras_explainable.network.model_inputs import map_shape
from keras_explainable.sampling import averaging_loop
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.schedule import Copies
from keras_explainable.types import Model, Tensor

__all__ = ["occlusion", "rise"]


__dir__ = __all__.copy


@along_axes
@takes_tokens
@partial(averaging_loop.looping_method, samples=False)
def occlusion(
    call: averaging_loop.MethodCall,
    *,
    size: int | tuple[int, int] | None = None,
    stride: int | tuple[int, int] | None = None,
    fill: Any = 0.0,
) -> tuple[Tensor, Tensor]:
    """Return the logits and how much hiding each pixel lowers them.

        maps[h, w] = mean of f(x) - f(x with window s filled) over windows s on (h, w)

    Args:
        size: Size of the sliding window in pixels; a number, or one for each spatial
            axis, such as (height, width). None for an eighth of the input's size.
        stride: Stride of the window in pixels; None for half its size. The last window
            of a row or column ends at the edge.
        fill: Value of the pixels in the window: a number, one for each channel (C,), or
            an image (H, W, C).

    Returns:
        ``logits`` (B, K), and signed ``maps`` (B, H, W, K) in units of the output.

    Raises:
        ValueError: If a parameter is not as described.

    Reference: Zeiler & Fergus, 2014, https://arxiv.org/abs/1311.2901
    """
    shape = map_shape(call.inputs.shape)
    eighth = tuple(-(-side // 8) for side in shape)
    windows = _windows(shape, eighth if size is None else size, stride)
    scale = len(windows) / windows.sum(axis=0)
    fill, logits = as_fill("fill", fill, call.inputs), call.logits
    [shown] = known_unmasked_steps(call.model, call.inputs)

    def perturb(copies: Copies) -> tuple[Tensor, Any]:
        masks = _as_inputs(windows[copies.draw], call.inputs)
        masks = where_shown(shown, masks, ops.zeros_like(masks), copies.image)
        inputs = take_rows(call.inputs, copies.image)
        return inputs + masks * (fill - inputs), None

    def counted(scores: Tensor, copies: Copies) -> Tensor:
        clean = take_rows(logits, copies.image)
        weights = ops.cast(windows[copies.draw] * scale, scores.dtype)[..., None]
        maps = weights * (_as_maps(clean, shape) - scores)
        return maps_where_shown(shown, maps, copies.image)

    accumulator = averaging_loop.average_over_copies(
        call, _scores, perturb, Sampling(len(windows)), counted=counted
    )
    return accumulator.logits, accumulator.maps


@along_axes
@averaging_loop.looping_method
def rise(
    call: averaging_loop.MethodCall,
    *,
    repetitions: int = 4000,
    cells: int = 7,
    probability: float = 0.5,
    seed: int | None = None,
    tolerance: float | None = None,
) -> tuple[Any, ...]:
    """Return the logits and their RISE maps.

        maps = 1 / (n p) sum_s f(x * m_s) m_s

    m_s are random masks: coarse grids in which each cell is shown with probability p,
    enlarged smoothly and shifted at random.

    Args:
        repetitions: Number n of masks for each input.
        cells: Number of grid cells along each axis.
        probability: Probability p that a cell is shown.
        seed: Integer >= 0; None draws a fresh one for each call.
        tolerance: Relative error at which an image has converged.

    Returns:
        ``logits`` (B, K), and ``maps`` (B, H, W, K) in units of the output; and
        ``Stats`` as a third value with ``return_stats=True``. The paper explains
        probabilities: ``ke.explain(..., logits=False)``.

    Raises:
        ValueError: If a parameter is not as described.

    Reference: Petsiuk et al., 2018, https://arxiv.org/abs/1806.07421
    """
    checks.integer("cells", cells, 1)
    checks.number("probability", probability, 0)
    if not 0 < probability <= 1:
        raise ValueError(
            f"`probability` must be above 0 and at most 1; received {probability!r}."
        )
    check_real_inputs(call.model)
    sampling = Sampling(repetitions, seed, tolerance=tolerance).with_seed()
    shape = map_shape(call.inputs.shape)
    [shown] = known_unmasked_steps(call.model, call.inputs)

    def masks(copies: Copies) -> Tensor:
        keys = sampling.keys(call.ids[copies.image], copies.draw)
        return _masks(shape, cells, probability)(keys, *_shifts(keys))

    def perturb(copies: Copies) -> tuple[Tensor, Any]:
        inputs = take_rows(call.inputs, copies.image)
        factor = _as_inputs(masks(copies), inputs)
        factor = where_shown(shown, factor, ops.ones_like(factor), copies.image)
        return inputs * factor, None

    def counted(scores: Tensor, copies: Copies) -> Tensor:
        maps = ops.cast(masks(copies)[..., None], scores.dtype) * scores / probability
        return maps_where_shown(shown, maps, copies.image)

    accumulator = averaging_loop.average_over_copies(
        call, _scores, perturb, sampling, counted=counted
    )
    facts = {"method": f"rise({cells}, {probability})"}
    return averaging_loop.method_result(call, accumulator, facts)


def _scores(model: Model, inputs: Tensor, indices: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logits (R, K), and again in the shape of maps (R, 1, ..., K)."""
    outputs = output_units.units_of(model, inputs)
    logits = output_units.gather_units(outputs, indices)
    return logits, _as_maps(logits, map_shape(inputs.shape))


def _as_maps(values: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return values (R, K) as (R, 1, ..., K), with an axis for each of ``shape``."""
    return ops.reshape(values, (-1, *(1,) * len(shape), values.shape[-1]))


def _as_inputs(masks: Any, inputs: Tensor) -> Tensor:
    """Return masks (R, ...) with a channel axis if the inputs have one."""
    masks = ops.cast(masks, inputs.dtype)
    return masks if len(masks.shape) == len(inputs.shape) else masks[..., None]


def _windows(shape: tuple[int, ...], size: Any, stride: Any) -> np.ndarray:
    """Return a mask for each window (S, ...): 1 inside it, 0 elsewhere."""
    rank = len(shape)
    size = tuple(map(min, _sides("size", size, rank), shape))
    half = tuple(max(side // 2, 1) for side in size)
    steps = half if stride is None else _sides("stride", stride, rank)
    if any(step > side for step, side in zip(steps, size, strict=True)):
        raise ValueError(
            "`stride` must be at most `size`, so that every pixel is covered; received "
            f"{steps} and {size}."
        )
    segments = map(_segments, shape, size, steps)
    windows = [reduce(np.multiply.outer, each) for each in product(*segments)]
    return np.stack(windows)


def _segments(length: int, size: int, step: int) -> np.ndarray:
    """Return masks of segments that cover 0..length-1 (S, length)."""
    starts = np.append(np.arange(0, length - size, step), length - size)
    position = np.arange(length)
    inside = (position >= starts[:, None]) & (position < starts[:, None] + size)
    return inside.astype("float32")


def _sides(name: str, value: Any, rank: int) -> tuple[int, ...]:
    sides = tuple(value) if isinstance(value, tuple | list) else (value,) * rank
    for each in sides:
        checks.integer(name, each, 1)
    if len(sides) != rank:
        raise ValueError(
            f"`{name}` must be a number, or {rank}, one for each spatial axis; "
            f"received {value!r}."
        )
    return sides


def _shifts(keys: np.ndarray) -> list[np.ndarray]:
    """Return each mask's shift as a fraction of a cell, along up to four axes."""
    low, high = keys & 0xFFFF, keys >> 16
    bits = [low[:, 0], low[:, 1], high[:, 0], high[:, 1]]
    return [(each / 2.0**16).astype("float32") for each in bits]


@lru_cache(32)
def _masks(shape: tuple[int, ...], cells: int, probability: float) -> Any:
    limit = NormalDist().inv_cdf(probability) if probability < 1 else math.inf
    return backend.jit(partial(_make_masks, shape, cells, limit))


def _make_masks(
    shape: tuple[int, ...], cells: int, limit: float, keys: Tensor, *shifts: Tensor
) -> Tensor:
    """Return masks (R, ...): grids enlarged by linear interpolation along each axis.

    A cell is shown where a standard normal value is below the limit.
    """
    size = (cells + 1,) * len(shape)
    masks = ops.cast(backend.normal(keys, size) < limit, "float32")
    for axis, (length, shift) in enumerate(zip(shape, shifts, strict=False), 1):
        weights = _weights(length, cells, shift)
        masks = ops.einsum("rlc,r...c->r...l", weights, ops.moveaxis(masks, axis, -1))
        masks = ops.moveaxis(masks, -1, axis)
    return masks


def _weights(length: int, cells: int, shift: Tensor) -> Tensor:
    """Return the weight of each cell for each pixel (R, length, cells + 1)."""
    middle = (ops.arange(length, dtype="float32") + 0.5) * cells / length - 0.5
    shift = ops.cast(shift, "float32")[:, None]
    position = ops.clip(middle + shift, 0, cells)[..., None]
    return ops.relu(1 - ops.abs(position - ops.arange(cells + 1, dtype="float32")))
