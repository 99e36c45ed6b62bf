"""Checks of arguments: each says what must hold and what was received."""

import math
import numbers
from typing import Any

import numpy as np

#: The largest integer where none is said: what all backends count up to.
MAX_INTEGER = 2**31 - 1


def is_callable(name: str, value: Any) -> None:
    """Raise TypeError unless ``value`` can be called."""
    if not callable(value):
        raise TypeError(f"`{name}` must be callable; received {value!r}.")


def boolean(name: str, value: Any) -> None:
    """Raise TypeError unless ``value`` is True or False."""
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be True or False; received {value!r}.")


def one_of(name: str, value: Any, texts: tuple[str, ...]) -> None:
    """Raise ValueError unless ``value`` is one of the texts."""
    if not isinstance(value, str) or value not in texts:
        raise ValueError(f"`{name}` must be one of {texts}; received {value!r}.")


def integer(name: str, value: Any, least: int, most: int | None = MAX_INTEGER) -> None:
    """Raise unless ``value`` is an integer from ``least`` to ``most``."""
    if not isinstance(value, numbers.Integral) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be an integer; received {value!r}.")
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}; received {value!r}.")
    if most is not None and int(value) > most:
        raise ValueError(f"`{name}` must be at most {most}; received {value!r}.")


def number(name: str, value: Any, least: float) -> None:
    """Raise unless ``value`` is a finite real number of at least ``least``."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"`{name}` must be a number; received {value!r}.")
    if not (math.isfinite(value) and float(value) >= least):
        raise ValueError(
            f"`{name}` must be finite and at least {least}; received {value!r}."
        )


def number_or_numbers(name: str, value: Any, least: float) -> None:
    """Raise unless ``value`` is such a number, or a sequence of them."""
    for each in value if isinstance(value, list | tuple | np.ndarray) else [value]:
        number(name, each, least)


def image_ids(ids: Any, count: int, least: int = 0) -> np.ndarray:
    """Return ``ids`` as an array (count,) of integers; None means 0, 1, 2, ..."""
    array = np.arange(count) if ids is None else np.asarray(ids)
    if array.shape != (count,) or array.dtype.kind not in "iu" or array.min() < least:
        raise ValueError(
            f"`ids` must be one integer >= 0 for each of the {count} inputs; "
            f"received {ids!r}."
        )
    return array
