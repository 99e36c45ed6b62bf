"""Layers that take numbers without their fractions, found by trying them."""

import warnings
from collections.abc import Mapping
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
_BETWEEN = (0.005, 0.02, 0.05, 0.15, 0.3, 0.45, 0.55, 0.7, 0.85, 0.95)

#: For each tensor that a layer reads, by its symbol's id, the places that are tried.
Places = dict[int, np.ndarray]


def ignores_fractions(step: Step, parts: Places, certain: bool = False) -> bool:
    """Return whether a layer takes numbers without their fractions at some places.

    A layer that casts to integers or booleans does. One with a threshold, such as 40,
    which gives the same for all small numbers, does not; nor does one that rounds, but
    passes derivatives on. If a layer cannot be tried, as with a category that does not
    exist, that counts, too, unless it must be certain.
    """
    try:
        if _is_choice(step, parts):
            return True
    except Exception:  # A layer of the user's may raise anything for such numbers.
        if certain:
            return False
    return not certain and _ignores_fractions_of_all(step, parts)


def _is_choice(step: Step, parts: Places) -> bool:
    """Return whether a layer gives its values for 0 or 1, which differ, between them.

    And whether it has no derivatives there, as rounding with those of the identity has.
    """
    zero, one, *between = (
        _outputs(step, _numbers(step, parts, number)) for number in (0, 1, *_BETWEEN)
    )
    chosen = (_same(found, zero) or _same(found, one) for found in between)
    return not _same(zero, one) and all(chosen) and not _has_derivative(step, parts)


def _numbers(step: Step, parts: Places, number: float | None) -> dict[int, Any]:
    """Return values for what a layer reads, with a number at the given places."""
    rng = np.random.default_rng(0)
    values = {
        id(x): rng.uniform(0.1, 0.4, example_shape(x))
        if is_float(x)
        else np.zeros(example_shape(x))
        for x in step.reads
    }
    if number is None:
        return values
    places = parts.items()
    return values | {key: np.where(part, number, values[key]) for key, part in places}


def _has_derivative(step: Step, parts: Places) -> bool:
    gradients = _gradients_of(step, _numbers(step, parts, 0.3))
    return any((x * parts[key]).any() for key, x in gradients.items() if key in parts)


def columns_with_derivatives(
    step: Step, columns: Mapping[int, Places]
) -> frozenset[int]:
    """Return the columns by which a layer has derivatives at a random point."""
    try:
        with warnings.catch_warnings(action="ignore"):  # Of numbers that do not suit.
            found = _gradients_of(step, _numbers(step, {}, None))
    except Exception:  # Such as an operation without derivatives.
        return frozenset()
    return frozenset(
        column
        for column, parts in columns.items()
        if any((found[key] * part).any() for key, part in parts.items() if key in found)
    )


def _gradients_of(step: Step, values: dict[int, Any]) -> dict[int, np.ndarray]:
    """Return the derivatives of a step's outputs by each float that it reads."""
    tensors = _tensors(step, values)
    floats = {key: x for key, x in tensors.items() if is_float(x)}

    def total(some: dict[int, Any]) -> tuple[Any, tuple[()]]:
        written = flatten([*step.run({**tensors, **some}).values()])
        return sum(ops.sum(ops.square(x + 1)) for x in written if is_float(x)), ()

    outputs, pullback, _ = backend.vjp(total, floats)
    gradients = pullback(ops.ones_like(outputs))
    return {key: ops.convert_to_numpy(x) for key, x in gradients.items()}


def _ignores_fractions_of_all(step: Step, parts: Places) -> bool:
    """Return whether numbers of any size count like those without their fractions."""
    for whole in _TRIED:
        try:
            one, other = _outputs_of_whole(step, parts, whole)
        except Exception:  # Such as a category that does not exist.
            continue
        if not _same(one, other):
            return False
    return True


def _outputs_of_whole(
    step: Step, parts: Places, whole: int
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
