"""A step of pairs of noisy copies: sums over them, which several devices can share."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import map_structure, with_last_again
from keras_explainable.methods.slopes.combine_by_error import dot
from keras_explainable.methods.slopes.linearized_network import StepStatistics
from keras_explainable.methods.slopes.record_statistics import run_and_record
from keras_explainable.network import output_units
from keras_explainable.types import Tensor


def run_pairs(
    model: Any, copies: Tensor, indices: Tensor, weights: Tensor, *, backward: bool
) -> tuple[Tensor, StepStatistics, Sequence[Tensor]]:
    """Return outputs (2 R, units), sums of statistics, and sums of gradients.

    The sums over pairs are of the statistics, each (groups, ...); of the pairs' mean
    gradients (groups, ..., K); and of the squared norms of these (groups, K).

    Args:
        model: An exposed model.
        copies: The noisy copies (2 R, ...), x + e before x - e.
        indices: Units to explain (1, K).
        weights: Weights of the pairs, which belong to the groups in turn
            (R / groups, groups).
        backward: Whether to return the sums of gradients, or none.
    """
    both = ops.concatenate([weights, weights])
    run = partial(run_and_record, model, weights=both / 2)
    if not backward:
        return *run(copies), ()
    outputs, pullback, statistics = backend.vjp(run, copies)
    indices = ops.repeat(indices, copies.shape[0], axis=0)
    _, maps = output_units.maps_of_units(outputs, indices, pullback)
    maps = ops.cast(maps, "float32")
    half = copies.shape[0] // 2
    mean = (maps[:half] + maps[half:]) / 2
    sums = backend.weighted_sums(lambda x: (x, dot(x, x)), weights, [mean])
    return outputs, statistics, sums


def divided_pairs(tensors: Sequence[Tensor], count: int) -> list[Any] | None:
    """Return the arguments of `run_pairs` for each of ``count`` devices.

    None if some would have no pair of a group. Pairs of weight 0 make their numbers
    even.
    """
    copies, indices, weights = tensors
    rows, groups = weights.shape
    if rows < count:
        return None
    missing = -rows % count
    pairs = with_last_again(_by_pairs(copies), missing * groups, axis=1)
    weights = ops.pad(weights, ((0, missing), (0, 0)))
    parts = ops.split(pairs, count, axis=1), ops.split(weights, count)
    return [(_in_rows(own), indices, each) for own, each in zip(*parts, strict=True)]


def joined_pairs(tensors: Sequence[Tensor], *parts: Any) -> Any:
    """Return what `run_pairs` returns for all pairs of several devices."""
    outputs, *sums = zip(*parts, strict=True)
    pairs = ops.concatenate([*map(_by_pairs, outputs)], axis=1)
    rows = _in_rows(pairs[:, : tensors[0].shape[0] // 2])
    return rows, *(map_structure(lambda *own: sum(own), *each) for each in sums)


def _by_pairs(x: Tensor) -> Tensor:
    """Return rows (2 R, ...) as (2, R, ...)."""
    return ops.reshape(x, (2, x.shape[0] // 2, *x.shape[1:]))


def _in_rows(x: Tensor) -> Tensor:
    return ops.reshape(x, (2 * x.shape[1], *x.shape[2:]))
