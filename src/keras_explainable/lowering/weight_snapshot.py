"""Notice that the weights of a model have changed."""

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_explainable import backend


class Snapshot:
    """The values of variables when the snapshot was taken.

    The snapshot keeps a reference to the memory of each variable. A backend that copies
    on write puts new values elsewhere, so the same address means the same values.
    Otherwise, checksums of the values are compared.
    """

    def __init__(self, variables: Sequence[Any]):
        self._variables = variables
        self._buffers = [np.asarray(backend.host_buffer(v)) for v in variables]
        self._checksums = [_checksum(buffer) for buffer in self._buffers]

    def is_current(self) -> bool:
        """Return whether the variables still hold the same values."""
        states = zip(self._variables, self._buffers, self._checksums, strict=True)
        return all(_is_unchanged(*state) for state in states)


def _is_unchanged(variable: Any, before: np.ndarray, checksum: int) -> bool:
    now = np.asarray(backend.host_buffer(variable))
    if backend.COPIES_ON_WRITE and _address(now) == _address(before):
        return True
    return _checksum(now) == checksum


def _checksum(buffer: np.ndarray) -> int:
    return zlib.crc32(buffer.data)


def _address(buffer: np.ndarray) -> int:
    return buffer.__array_interface__["data"][0]
