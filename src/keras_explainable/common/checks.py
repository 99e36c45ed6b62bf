"""Argument checks whose errors say what is required and what was received."""

import math
import numbers
from typing import Any

import numpy as np

#: The default upper limit of integers, which every backend can represent.
MAX_INTEGER = 2**31 - 1


def is_callable(name: str, value: Any) -> None:
    """Raise TypeError unless ``value`` can be called."""
    if not callable(value):
        raise TypeError(f"`{name}` must be callable; received {value!r}.")


def boolean(name: str, value: Any) -> None:
    """Raise TypeError unless ``value`` is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be True or False; received {value!r}.")


def one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless ``value`` is one of the strings in ``choices``."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"`{name}` must be one of {choices}; received {value!r}.")


def integer(name: str, value: Any, low: int, high: int | None = MAX_INTEGER) -> None:
    """Raise unless ``value`` is an integer from ``low`` to ``high``."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be an integer; received {value!r}.")
    if value < low:
        raise ValueError(f"`{name}` must be at least {low}; received {value!r}.")
    if high is not None and int(value) > high:
        raise ValueError(f"`{name}` must be at most {high}; received {value!r}.")


def number(name: str, value: Any, low: float) -> None:
    """Raise unless ``value`` is a finite real number of at least ``low``."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a number; received {value!r}.")
    if not (math.isfinite(value) and float(value) >= low):
        raise ValueError(
            f"`{name}` must be finite and at least {low}; received {value!r}."
        )


def number_or_numbers(name: str, value: Any, low: float) -> None:
    """Raise unless ``value`` passes `number`, or is a sequence of values that do."""
    for item in value if isinstance(value, list | tuple | np.ndarray) else [value]:
        number(name, item, low)


def fractions(name: str, value: Any, instead: str) -> None:
    """Raise unless ``value`` is a fraction, or a sequence of them, from 0 to 1.

    Args:
        name: Name of the parameter.
        value: What was received.
        instead: What else a larger number may be meant for.
    """
    number_or_numbers(name, value, 0)
    for item in value if isinstance(value, list | tuple | np.ndarray) else [value]:
        if item > 1:
            raise ValueError(
                f"`{name}` must be a fraction, at most 1; {too_large(item)} {instead}"
            )


def too_large(value: float) -> str:
    """Return what a number above 1 means as a fraction, and what may be meant."""
    meant = f"; did you mean {value / 100:.3g}?" if value <= 100 else "."
    return f"received {value:.6g}, which means {100 * value:.6g} %{meant}"


def image_ids(ids: Any, count: int, low: int = 0) -> np.ndarray:
    """Return ``ids`` as an array (count,) of integers; None means 0, 1, 2, ..."""
    array = np.arange(count) if ids is None else np.asarray(ids)
    if array.shape != (count,) or array.dtype.kind not in "iu" or array.min() < low:
        raise ValueError(
            f"`ids` must be one integer >= 0 for each of the {count} inputs; "
            f"received {ids!r}."
        )
    return array
