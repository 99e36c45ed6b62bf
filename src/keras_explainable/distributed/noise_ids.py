"""The ids of images that determine their noise, wherever they are computed."""

import hashlib
import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

_LARGEST = 2**63 - 1


def noise_ids(ids: Iterable[Any]) -> np.ndarray:
    """Return the integers (N,) by which ``ke.explain`` knows images with these ids.

    An integer from 0 to 2 ** 63 - 1 stands for itself. A text, such as a path, becomes
    the first 63 bits of the SHA-256 hash of its UTF-8 bytes, so that it has the same
    noise in every process, batch and order of the images::

        ke.distributed.explain(dataset, method, model, id_column="path")
        ke.explain(method, model, x, ids=ke.distributed.noise_ids(paths))  # Same maps.

    Raises:
        ValueError: If an id is anything else.
    """
    return np.array([_number(value) for value in ids], "int64")


def _number(value: Any) -> int:
    if isinstance(value, str):
        return int.from_bytes(hashlib.sha256(value.encode()).digest()[:8]) >> 1
    is_number = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (is_number and 0 <= value <= _LARGEST):
        raise ValueError(
            "`id_column` must hold integers from 0 to 2 ** 63 - 1, or texts; received "
            f"{value!r}."
        )
    return int(value)
