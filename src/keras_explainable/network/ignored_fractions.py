"""Layers that take numbers without their fractions, found by trying them."""

from functools import partial
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import flatten, is_float
from keras_explainable.network.graph import Step

#: Numbers on either side of the thresholds that layers have.
_TRIED = (0, 1, 60, -60, 5000, -5000)

#: Numbers from 0 to 1, which a category is rounded or cut to.
_BETWEEN = (0.3, 0.45, 0.55, 0.7, 0.85, 0.95)


def ignores_fractions(
    step: Step, parts: dict[int, np.ndarray], certain: bool = False
) -> bool:
    """Return whether a layer takes numbers without their fractions at some places.

    A layer that casts to integers does. One with a threshold, such as 40, which gives
    the same for all small numbers, does not; nor does one that rounds, but passes
    derivatives on. If a layer cannot be tried, as with a category that does not exist,
    that counts, too, unless it must be certain.
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
    if certain and _same(*found):
        return False
    try:
        return not _varies_between(step, parts)
    except Exception:
        return not certain


def _varies_between(step: Step, parts: dict[int, np.ndarray]) -> bool:
    """Return whether a layer gives others than its values for 0 and 1 between them.

    Or whether it has derivatives there, as rounding with those of the identity has.
    """
    ends = [_outputs(step, _numbers(step, parts, end)) for end in (0, 1)]
    for number in _BETWEEN:
        found = _outputs(step, _numbers(step, parts, number))
        if not any(_same(found, end) for end in ends):
            return True
    return _has_derivative(step, parts)


def _numbers(step: Step, parts: dict[int, np.ndarray], number: float) -> dict[int, Any]:
    """Return values for what a layer reads, with a number at the given places."""
    values = {id(x): np.zeros(example_shape(x)) for x in step.reads}
    return values | {key: np.where(part, number, 0.25) for key, part in parts.items()}


def _has_derivative(step: Step, parts: dict[int, np.ndarray]) -> bool:
    tensors = _tensors(step, _numbers(step, parts, _BETWEEN[0]))
    floats = {key: x for key, x in tensors.items() if is_float(x) and key in parts}

    def total(values: dict[int, Any]) -> tuple[Any, tuple[()]]:
        written = flatten([*step.run({**tensors, **values}).values()])
        return sum(ops.sum(ops.square(x + 1)) for x in written if is_float(x)), ()

    outputs, pullback, _ = backend.vjp(total, floats)
    gradients = pullback(ops.ones_like(outputs))
    return any(
        (ops.convert_to_numpy(gradients[key]) * parts[key]).any() for key in floats
    )


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
    with backend.state_kept():
        written = step.run(_tensors(step, values)).values()
        return [*map(ops.convert_to_numpy, flatten([*written]))]


def _tensors(step: Step, values: dict[int, Any]) -> dict[int, Any]:
    return {id(x): ops.cast(values[id(x)], x.dtype) for x in step.reads}
