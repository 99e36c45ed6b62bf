"""The windows of layers whose code is the user's, found by trying several lengths."""

import itertools

import numpy as np

from keras_explainable.network.graph import Step
from keras_explainable.network.moved_axes import tried

#: The lengths that are tried, and the windows and strides that may explain what a layer
#: makes of them: (length - window) // stride + 1 positions.
_LENGTHS = range(40, 49)
_WINDOWS, _STRIDES = range(1, 32), range(1, 9)


def extent_and_stride(step: Step) -> tuple[int, int] | None:
    """Return how far the window of a convolution reaches, and its stride.

    None for a layer that does not shorten its input as a convolution without padding
    does, or that takes no other lengths than its own.
    """
    read, written = step.reads[0].shape, step.outputs.shape
    if len(read) != len(written) or len(read) < 3 or read[-1] is None:
        return None
    first = _positions(step, _LENGTHS[0])
    if first is None:
        return None
    found = [first, *(_positions(step, length) for length in _LENGTHS[1:])]
    for window, stride in itertools.product(_WINDOWS, _STRIDES):
        if found == [(length - window) // stride + 1 for length in _LENGTHS]:
            return (window - 1, stride) if window * stride > 1 else None
    return None


def _positions(step: Step, length: int) -> int | None:
    """Return the positions along each axis of what a step makes of a length.

    None if it makes nothing of it, or not the same of all axes.
    """
    shape = step.reads[0].shape
    made = tried(step, np.zeros((1, *(length,) * (len(shape) - 2), shape[-1])))
    lengths = {*made.shape[1:-1]} if made is not None else set()
    return lengths.pop() if len(lengths) == 1 else None
