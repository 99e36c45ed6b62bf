"""A fingerprint of a model's weights, equal in all processes."""

import hashlib

import numpy as np

from keras_explainable import backend
from keras_explainable.types import Model


def fingerprint(model: Model) -> str:
    """Return a hash of the weights: equal weights give the same one in any process."""
    digest = hashlib.sha256()
    for weight in getattr(model, "weights", ()):
        array = np.asarray(backend.host_buffer(weight))
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
