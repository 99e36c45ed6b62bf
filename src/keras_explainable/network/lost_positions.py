"""Steps whose outputs are elsewhere than what they read, such as warps and spectra."""

from collections.abc import Iterable
from typing import Any

from keras import layers

from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.layers_of_user import calls_user
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.network.operations_of_call import example_operations
from keras_explainable.network.time_distributed import frame_axes, operation_on_frames

#: Functions of Keras that move values to places which they are told, or compute.
_WARPS = {"AffineTransform", "ElasticTransform", "MapCoordinates"}
_WARPS |= {"PerspectiveTransform", "ScaleAndTranslate"}

#: Functions that put values in order along an axis, or choose them by a number.
_ORDERING = {"Argsort", "Sort", "TakeAlongAxis", "TopK"}

#: Functions whose outputs are frequencies, and those that undo them.
_SPECTRA, _INVERSE = {"FFT", "FFT2", "RFFT"}, {"IFFT2", "IRFFT"}


def loses_positions(step: Step, has_channels: bool | None) -> bool:
    """Return whether positions of a step's output are not those of what it reads.

    Args:
        step: Step of a graph, but for spectra.
        has_channels: Whether the last axis of what it reads is channels; None if it is
            not known which axes it has.
    """
    name = keras_name(step.operation)
    if name not in _ORDERING or has_channels is None:
        return name in _WARPS
    rank = len(step.reads[0].shape)
    axis = getattr(step.operation, "axis", -1)
    return not (has_channels and axis in (-1, rank - 1))


def is_spectrum(step: Step, has_channels: bool, steps: Iterable[Step]) -> bool:
    """Return whether a step's output are frequencies along an axis of positions.

    Args:
        step: Step of a graph.
        has_channels: Whether the last axis of what it reads is known to be channels.
        steps: All steps of the graph, of which one may return to positions.
    """
    name = keras_name(step.operation)
    if name not in _SPECTRA or any(keras_name(x.operation) in _INVERSE for x in steps):
        return False
    return name == "FFT2" or not has_channels


def moving_operations(step: Step) -> Graph | None:
    """Return the operations of a layer of the user's if some of them move positions.

    They are warps, spectra, and layers that reverse steps.
    """
    inner = example_operations(step) if calls_user(step.operation) else None
    if inner is None:
        return None
    moving = (
        keras_name(each.operation) in _WARPS | _SPECTRA or reversed_axis(each.operation)
        for each in inner.steps
    )
    return inner if any(moving) else None


def reversed_axis(operation: Any) -> int | None:
    """Return the axis along which a layer reverses the steps of its input, if any."""
    inner = operation_on_frames(operation)
    if not isinstance(inner, layers.RNN):
        return None
    reverses = inner.go_backwards and inner.return_sequences
    return 1 + frame_axes(operation) if reverses else None
