"""Telling models apart, across processes."""

import hashlib

import numpy as np

from keras_explainable import backend
from keras_explainable.types import Model


def fingerprint(model: Model) -> str:
    """Return a text that is equal for models with the same weights, in any process."""
    digest = hashlib.sha256()
    for weight in getattr(model, "weights", ()):
        array = np.asarray(backend.host_buffer(weight))
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
