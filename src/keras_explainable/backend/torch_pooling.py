"""Max pooling in PyTorch, without the copies that Keras makes, and who wins in it."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from keras_explainable.backend.padding import padding_amounts

#: Bits that count rows, up to so many, for one place; and places in a word of 64.
_BITS, _MOST, _PLACES = 7, 127, 9


def max_pool_is_faster(layer: Any) -> bool:
    """Keras copies the inputs to channels-first, and all that follow stay there."""
    return len(layer.strides) == 2


def max_pool(inputs: Any, size: Any, strides: Any, padding: str) -> Any:
    return _pooled(inputs, size, strides, padding)[0]


def max_pool_and_counts(
    weights: Any,
    inputs: Any,
    limit: float | None,
    size: Any,
    strides: Any,
    padding: str,
) -> tuple[Any, list[Any]]:
    best, found, before, width = _pooled(inputs, size, strides, padding)
    down, right = (  # Where windows begin.
        torch.arange(n, device=found.device) * step - first
        for n, step, first in zip(found.shape[1:], strides, before, strict=False)
    )
    # Places are counted through whole rows of the picture, from one on.
    places = [row * width + column + 1 for row, column in np.ndindex(*size)]
    winners = partial(_winners, (down[:, None] * width + right)[..., None] - 1, limit)
    weights = torch.as_tensor(weights, device=found.device)
    values = [x.reshape(*weights.shape, *x.shape[1:]) for x in (best.detach(), found)]
    if weights.device.type != "cpu":  # Which is not to be waited for.
        won = winners(*values)
        alike = ((won == place).to(weights.dtype) for place in places)
        return best, [torch.einsum("rg,rg...->g...", weights, each) for each in alike]
    sums = torch.zeros(len(places), weights.shape[1], *best.shape[1:])
    for group, of_group in enumerate(weights.T.tolist()):
        rows = [*zip(*(x[:, group] for x in values), strict=True)]
        _count(sums[:, group], of_group, rows, winners, places)
    return best, [*sums]


def _winners(before: Any, limit: float | None, best: Any, found: Any) -> Any:
    """Return which place of each window has won, from one on; 0 where ReLUs are closed.

    Args:
        before: the place before each window's first one (h, w, 1).
        limit: where the ReLUs end; None if there are none.
        best: maxima (..., h, w, C).
        found: their places.
    """
    won = found - before
    if limit is None:
        return won
    passes = best > 0 if limit == math.inf else (best > 0) & (best < limit)
    return won.mul_(passes)  # Many times as fast as filling in.


def _count(
    sums: Any,
    weights: Sequence[float],
    rows: Sequence[Any],
    winners: Callable[..., Any],
    places: Sequence[int],
) -> None:
    """Add to sums (places, ...) how often each place wins in weighted rows.

    Row by row, which a CPU's caches hold.
    """
    for weight in {*weights} - {0}:  # There is one, as a rule.
        those = [row for row, each in zip(rows, weights, strict=True) if each == weight]
        for start in range(0, len(those), _MOST):
            some = (winners(*row) for row in those[start : start + _MOST])
            for total, x in zip(sums, _counted(some, places), strict=True):
                total.add_(x, alpha=weight)


def _counted(rows: Iterable[Any], places: Sequence[int]) -> Iterator[Any]:
    """Yield how often each place stands in rows: the counts of nine lie in one word."""
    parts = [places[n : n + _PLACES] for n in range(0, len(places), _PLACES)]
    tables = [torch.zeros(places[-1] + 1, dtype=torch.int64) for _ in parts]
    for table, part in zip(tables, parts, strict=True):
        table[part] = torch.tensor([1 << _BITS * n for n in range(len(part))])
    words: list[Any] = [0 for _ in parts]
    for row in rows:
        ones = (torch.take(table, row) for table in tables)
        words = [word + one for word, one in zip(words, ones, strict=True)]
    for word, part in zip(words, parts, strict=True):
        for n in range(len(part)):
            yield word >> _BITS * n & _MOST


def _pooled(inputs: Any, size: Any, strides: Any, padding: str) -> tuple[Any, ...]:
    """Return the maxima and their places, both (B, h, w, C).

    A place is row * width + column; then follow what windows reach beyond the first row
    and column, and the width.
    """
    inputs = inputs.permute(0, 3, 1, 2)
    sides = padding_amounts(padding, inputs.shape[2:], size, strides, (1, 1))
    uneven = [last > first for first, last in sides]
    short = any(each and step == 1 for each, step in zip(uneven, strides, strict=True))
    if short or size[1] > inputs.shape[-1]:  # Places of a window would be alike.
        (top, bottom), (left, right) = sides
        inputs = functional.pad(inputs, (left, right, top, bottom), value=-math.inf)
        sides, uneven = [(0, 0), (0, 0)], [False]
    before = [first for first, _ in sides]
    # Windows that end beyond the edge save a copy with one more line there.
    found = functional.max_pool2d(
        inputs, size, strides, before, ceil_mode=any(uneven), return_indices=True
    )
    best, places = (x.permute(0, 2, 3, 1) for x in found)
    return best, places, before, inputs.shape[-1]
