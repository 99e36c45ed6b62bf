"""Max pooling in PyTorch without the copies that Keras makes, and argmax counts."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from keras_explainable.backend.padding import padding_amounts

#: Bits of a counter, its largest count, and the counters in a word of 64 bits.
_BITS, _MAX_COUNT, _COUNTERS = 7, 127, 9


def max_pool_is_faster(layer: Any) -> bool:
    """Keras copies the inputs to channels-first, and later layers stay there."""
    return len(layer.strides) == 2


def max_pool(inputs: Any, size: Any, strides: Any, padding: str) -> Any:
    return _pool(inputs, size, strides, padding)[0]


def max_pool_and_counts(
    weights: Any,
    inputs: Any,
    limit: float | None,
    size: Any,
    strides: Any,
    padding: str,
) -> tuple[Any, list[Any]]:
    maxima, indices, leading, width = _pool(inputs, size, strides, padding)
    down, right = (  # Where windows begin.
        torch.arange(n, device=indices.device) * step - before
        for n, step, before in zip(indices.shape[1:], strides, leading, strict=False)
    )
    # Positions run through whole rows of the image, and start at 1.
    positions = [row * width + column + 1 for row, column in np.ndindex(*size)]
    argmax = partial(_argmax, (down[:, None] * width + right)[..., None] - 1, limit)
    weights = torch.as_tensor(weights, device=indices.device)
    values = [
        x.reshape(*weights.shape, *x.shape[1:]) for x in (maxima.detach(), indices)
    ]
    if weights.device.type != "cpu":  # Counting row by row would wait for the GPU.
        found = argmax(*values)
        matches = ((found == position).to(weights.dtype) for position in positions)
        return maxima, [torch.einsum("rg,rg...->g...", weights, x) for x in matches]
    sums = torch.zeros(len(positions), weights.shape[1], *maxima.shape[1:])
    for group, group_weights in enumerate(weights.T.tolist()):
        rows = [*zip(*(x[:, group] for x in values), strict=True)]
        _add_counts(sums[:, group], group_weights, rows, argmax, positions)
    return maxima, [*sums]


def _argmax(before: Any, limit: float | None, maxima: Any, indices: Any) -> Any:
    """Return the position of each window's maximum, from 1; 0 if its ReLU is closed.

    Args:
        before: Index before each window's first position, shape (h, w, 1).
        limit: Upper limit of the ReLUs; None if there are none.
        maxima: Maxima, shape (..., h, w, C).
        indices: Indices of the maxima in the image, shape (..., h, w, C).
    """
    positions = indices - before
    if limit is None:
        return positions
    passes = maxima > 0 if limit == math.inf else (maxima > 0) & (maxima < limit)
    return positions.mul_(passes)  # Many times as fast as ``masked_fill_``.


def _add_counts(
    sums: Any,
    weights: Sequence[float],
    rows: Sequence[Any],
    argmax: Callable[..., Any],
    positions: Sequence[int],
) -> None:
    """Add the weighted argmax counts of rows to sums (positions, ...).

    It goes row by row, as a row fits into a CPU's caches.
    """
    for weight in {*weights} - {0}:  # Usually there is only one.
        equal = [row for row, each in zip(rows, weights, strict=True) if each == weight]
        for start in range(0, len(equal), _MAX_COUNT):
            chunk = (argmax(*row) for row in equal[start : start + _MAX_COUNT])
            for total, x in zip(sums, _counts(chunk, positions), strict=True):
                total.add_(x, alpha=weight)


def _counts(rows: Iterable[Any], positions: Sequence[int]) -> Iterator[Any]:
    """Yield the count of each position in rows; nine counters share a word."""
    starts = range(0, len(positions), _COUNTERS)
    groups = [positions[start : start + _COUNTERS] for start in starts]
    tables = [torch.zeros(positions[-1] + 1, dtype=torch.int64) for _ in groups]
    for table, group in zip(tables, groups, strict=True):
        table[group] = torch.tensor([1 << _BITS * n for n in range(len(group))])
    words: list[Any] = [0 for _ in groups]
    for row in rows:
        ones = (torch.take(table, row) for table in tables)
        words = [word + one for word, one in zip(words, ones, strict=True)]
    for word, group in zip(words, groups, strict=True):
        for n in range(len(group)):
            yield word >> _BITS * n & _MAX_COUNT


def _pool(inputs: Any, size: Any, strides: Any, padding: str) -> tuple[Any, ...]:
    """Return the maxima and their indices, the leading padding, and the width.

    Maxima and indices have shape (B, h, w, C); an index is row * width + column.
    """
    inputs = inputs.permute(0, 3, 1, 2)
    amounts = padding_amounts(padding, inputs.shape[2:], size, strides, (1, 1))
    uneven = [after > before for before, after in amounts]
    short = any(each and step == 1 for each, step in zip(uneven, strides, strict=True))
    if short or size[1] > inputs.shape[-1]:  # Two positions would share an index.
        (top, bottom), (left, right) = amounts
        inputs = functional.pad(inputs, (left, right, top, bottom), value=-math.inf)
        amounts, uneven = [(0, 0), (0, 0)], [False]
    leading = [before for before, _ in amounts]
    # Letting windows end beyond the edge saves a copy padded by one more line.
    pooled = functional.max_pool2d(
        inputs, size, strides, leading, ceil_mode=any(uneven), return_indices=True
    )
    maxima, indices = (x.permute(0, 2, 3, 1) for x in pooled)
    return maxima, indices, leading, inputs.shape[-1]
