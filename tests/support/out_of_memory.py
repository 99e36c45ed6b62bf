"""The errors of each backend that mean out of memory, and a device that has them."""

import keras


def refused():
    """Return an instance of each error that means out of memory on this backend."""
    return [MemoryError("no more"), _of_backend()]


def _of_backend():
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")
    if backend == "jax":
        import jax

        return jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
    import torch

    return torch.OutOfMemoryError("CUDA out of memory")


class Device:
    """A device that holds a limited number of rows, which ``run`` doubles if they fit.

    Attributes:
        calls: Numbers of the rows of each call, including those that did not fit.
        done: Numbers of the rows of each call that succeeded.
    """

    def __init__(self, most, error=None):
        self.most, self.error = most, error or _of_backend()
        self.calls, self.done = [], []

    def run(self, x, *others):
        rows = keras.ops.convert_to_numpy(x)[:, 0].tolist()
        self.calls.append(rows)
        if len(rows) > self.most:
            raise self.error
        self.done.append(rows)
        return 2 * x, [x + 1, *(None if other is None else -other for other in others)]
