"""Layers that take numbers without their fractions, found by trying them."""

from functools import partial
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import flatten
from keras_explainable.network.graph import Step

#: Numbers on either side of the thresholds that layers have.
_TRIED = (0, 1, 60, -60, 5000, -5000)


def ignores_fractions(
    step: Step, parts: dict[int, np.ndarray], certain: bool = False
) -> bool:
    """Return whether a layer takes numbers without their fractions at some places.

    A layer that casts to integers does. One with a threshold, such as 40, which gives
    the same for all small numbers, does not. If a layer cannot be tried, as with a
    category that does not exist, that counts, too, unless it must be certain.
    """
    found = []
    for whole in _TRIED[:2] if certain else _TRIED:
        try:
            one, other = _outputs_of_whole(step, parts, whole)
        except Exception:
            if certain:
                return False
            continue
        if not _same(one, other):
            return False
        found.append(one)
    return not certain or not _same(*found)


def _outputs_of_whole(
    step: Step, parts: dict[int, np.ndarray], whole: int
) -> tuple[list[Any], list[Any]]:
    """Return a layer's outputs for a whole number, and for one with a fraction."""
    rng = np.random.default_rng(0)
    values = {id(x): np.zeros(example_shape(x)) for x in step.reads}
    # The other parts are not 0, so that no product with them hides a difference.
    values |= {key: rng.uniform(0.1, 0.4, part.shape) for key, part in parts.items()}
    wholes = {
        key: np.where(parts[key], whole, x) if key in parts else x
        for key, x in values.items()
    }
    fractions = {
        key: x + np.where(parts.get(key, 0), whole, 0) for key, x in values.items()
    }
    return _outputs(step, wholes), _outputs(step, fractions)


def _same(one: list[Any], other: list[Any]) -> bool:
    return all(map(partial(np.array_equal, equal_nan=True), one, other))


def example_shape(symbol: Any) -> tuple[int, ...]:
    """Return a shape that fits a symbolic tensor, of which sizes may be unknown."""
    return symbol.shape[0] or 1, *(size or 8 for size in symbol.shape[1:])


def _outputs(step: Step, values: dict[int, Any]) -> list[Any]:
    tensors = {id(x): ops.cast(values[id(x)], x.dtype) for x in step.reads}
    with backend.state_kept():
        return [*map(ops.convert_to_numpy, flatten([*step.run(tensors).values()]))]
