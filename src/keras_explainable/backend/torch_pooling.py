"""Max pooling in PyTorch, without the copies that Keras makes, and who wins in it."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from keras_explainable.pads import pads

#: Bits that count rows, up to so many, for one place; and places in a word of 64.
_BITS, _MOST, _PLACES = 7, 127, 9


def pools_faster(layer: Any) -> bool:
    """Keras copies the inputs to channels-first, and all that follow stay there."""
    return len(layer.strides) == 2


def pool(inputs: Any, size: Any, strides: Any, padding: str) -> Any:
    return _pooled(inputs, size, strides, padding)[0]


def wins(
    weights: Any,
    inputs: Any,
    limit: float | None,
    size: Any,
    strides: Any,
    padding: str,
) -> list[Any]:
    best, found, before, width = _pooled(inputs, size, strides, padding)
    down, right = (  # Where windows begin.
        torch.arange(n, device=found.device) * step - first
        for n, step, first in zip(found.shape[1:], strides, before, strict=False)
    )
    found.sub_((down[:, None] * width + right)[..., None])
    # Places are counted through whole rows of the picture.
    places = [row * width + column for row, column in np.ndindex(*size)]
    if limit is not None:
        closed = best <= 0 if limit == math.inf else (best <= 0) | (best >= limit)
        found.masked_fill_(closed, places[-1] + 1)
    weights = torch.as_tensor(weights, device=found.device)
    parts = found.reshape(*weights.shape, *found.shape[1:])
    if weights.device.type != "cpu":  # Which is not to be waited for.
        alike = ((parts == place).to(weights.dtype) for place in places)
        return [torch.einsum("rg,rg...->g...", weights, each) for each in alike]
    groups = enumerate(weights.T.tolist())
    each = [_counts(of_group, parts[:, group], places) for group, of_group in groups]
    return [*torch.stack(each, dim=1)]


def _counts(weights: Sequence[float], rows: Any, places: Sequence[int]) -> Any:
    """Return how often each place stands in weighted rows, (places, ...)."""
    sums = torch.zeros(len(places), *rows.shape[1:])
    for weight in {*weights} - {0}:  # There is one, as a rule.
        those = [i for i, each in enumerate(weights) if each == weight]
        for start in range(0, len(those), _MOST):
            some = [rows[i] for i in those[start : start + _MOST]]
            for total, x in zip(sums, _counted(some, places), strict=True):
                total.add_(x, alpha=weight)
    return sums


def _counted(rows: Sequence[Any], places: Sequence[int]) -> Iterator[Any]:
    """Yield how often each place stands in rows: the counts of nine lie in one word."""
    for start in range(0, len(places), _PLACES):
        those = places[start : start + _PLACES]
        ones = torch.zeros(places[-1] + 2, dtype=torch.int64)
        ones[those] = torch.tensor([1 << _BITS * n for n in range(len(those))])
        words = sum(torch.take(ones, row) for row in rows)
        for n in range(len(those)):
            yield words >> _BITS * n & _MOST


def _pooled(inputs: Any, size: Any, strides: Any, padding: str) -> tuple[Any, ...]:
    """Return the maxima and their places, both (B, h, w, C).

    A place is row * width + column; then follow what windows reach beyond the first row
    and column, and the width.
    """
    inputs = inputs.permute(0, 3, 1, 2)
    sides = pads(padding, inputs.shape[2:], size, strides, (1, 1))
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
