"""How each backend says that it is out of memory."""

import keras


def refused():
    """The errors (an instance of each kind) that mean it on this backend."""
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
    """A device that holds so many rows; ``run`` doubles them where they fit.

    Attributes:
        calls: the rows of each call, as numbers, those that did not fit too.
        done: the rows of each call that came to its end.
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
