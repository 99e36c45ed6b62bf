"""Steps whose outputs are elsewhere than what they read, such as warps and spectra."""

from typing import Any

from keras import layers

from keras_explainable.network.graph import Step
from keras_explainable.network.layers_of_user import calls_user
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.network.operations_of_call import example_operations

#: Functions of Keras that move values to places which they are told, or compute.
_WARPS = {"AffineTransform", "ElasticTransform", "MapCoordinates"}
_WARPS |= {"PerspectiveTransform", "ScaleAndTranslate"}

#: Functions that put values in order along an axis, or choose them by a number.
_ORDERING = {"Argsort", "Sort", "TakeAlongAxis"}

#: Functions whose outputs have no positions along the last axis any more.
_OF_LAST_AXIS = {"FFT", "IRFFT", "RFFT", "TopK"}

#: The same along the last two axes.
_OF_LAST_AXES = {"FFT2", "IFFT2"}


def loses_positions(step: Step, has_channels: bool) -> bool:
    """Return whether positions of a step's output are not those of what it reads.

    Args:
        step: Step of a graph.
        has_channels: Whether the last axis of what it reads is known to be channels.
    """
    name = keras_name(step.operation)
    if name in _WARPS | _OF_LAST_AXES or _warps_inside(step):
        return True
    if name in _ORDERING:
        rank = len(step.reads[0].shape)
        return not has_channels or step.operation.axis not in (-1, rank - 1)
    return name in _OF_LAST_AXIS and not has_channels


def _warps_inside(step: Step) -> bool:
    """Return whether a layer of the user's, or their function, calls a warp."""
    if not calls_user(step.operation):
        return False
    inner = example_operations(step)
    return inner is not None and any(
        keras_name(each.operation) in _WARPS for each in inner.steps
    )


def reverses_steps(operation: Any) -> bool:
    """Return whether a layer returns the steps of its input in the reverse order."""
    if not isinstance(operation, layers.RNN):
        return False
    return bool(operation.go_backwards and operation.return_sequences)
