"""Where functions are differentiated."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

#: Values at which functions have limits or kinks.
ENDS = (-6, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 6, 0.3)

Shapes = Sequence[tuple[int, ...]]
Arrays = list[np.ndarray]


def points(shapes: Shapes) -> dict[str, Arrays]:
    """Return inputs of the given shapes by the name of the point."""
    return {name: make(shapes) for name, make in _POINTS.items()}


def generic(shapes: Shapes) -> Arrays:
    """Return inputs of both signs, and no two alike."""
    random = np.random.default_rng(0)
    return [random.normal(size=shape) for shape in shapes]


def _small(shapes: Shapes) -> Arrays:
    """Return inputs between 0 and 1, where most functions are defined."""
    random = np.random.default_rng(1)
    return [random.uniform(0.1, 0.9, shape) for shape in shapes]


def _zeros(shapes: Shapes) -> Arrays:
    return [np.zeros(shape) for shape in shapes]


def _ties(shapes: Shapes) -> Arrays:
    return [np.ones(shape) for shape in shapes]


def _ends(shapes: Shapes) -> Arrays:
    """Return inputs at ends; in two of them, some are equal and others opposite."""
    values: Iterator[np.ndarray] = (np.resize(ENDS, shape) for shape in shapes)
    return [_reversed_at_odd(x) if place % 2 else x for place, x in enumerate(values)]


def _half_zeros(shapes: Shapes) -> Arrays:
    """Return generic inputs with zeros, those of two inputs together and apart."""
    found = generic(shapes)
    for place, x in enumerate(found):
        x.reshape(-1)[np.arange(x.size) // (place + 1) % 2 == 0] = 0
    return found


def _reversed_at_odd(x: np.ndarray) -> np.ndarray:
    flat = x.reshape(-1)
    odd = np.arange(x.size) % 2 == 1
    return np.where(odd, flat[::-1], flat).reshape(x.shape)


_POINTS: dict[str, Callable[[Shapes], Arrays]] = {
    "generic": generic,
    "small": _small,
    "zeros": _zeros,
    "ties": _ties,
    "ends": _ends,
    "half zeros": _half_zeros,
}
