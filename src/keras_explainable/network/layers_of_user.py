"""Layers whose class, or whose function, is the user's."""

from typing import Any

import keras
from keras import layers

from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.network.graph import Step
from keras_explainable.network.layers_of_model import held_layers

#: Modules of layers that are not the user's.
_KNOWN = ("keras.", "keras_explainable.")


def calls_correctable(step: Step) -> bool:
    """Return whether a step calls code of the user's, with tensors and without masks.

    That is a layer of the user's, or one of Keras' that calls a function. It may
    compute in half precision: its operations then need a layer of this precision around
    them, an ``OwnLayer``.
    """
    layer = step.operation
    own = is_of_user(layer) or calls_function(layer)
    return bool(own and step.is_plain() and not uses_masks(layer))


def calls_function(layer: Any) -> bool:
    """Return whether a layer of Keras' does nothing but call a function of the user's.

    This is a ``Lambda``, or an ``Activation`` whose function is none of Keras'.
    """
    if type(layer) is layers.Activation:
        return is_function_of_user(layer.activation)
    return type(layer) is layers.Lambda


def calls_code_of_user(layer: keras.Layer) -> bool:
    """Return whether a layer, or one inside it, calls code of the user's."""
    return any(map(_calls_code, (layer, *held_layers(layer))))


def _calls_code(layer: keras.Layer) -> bool:
    own = is_of_user(layer) or calls_function(layer)
    return own or is_function_of_user(getattr(layer, "activation", None))


def calls_user(operation: Any) -> bool:
    """Return whether an operation is a layer of the user's, or calls their function."""
    return is_of_user(operation) or calls_function(operation)


def is_function_of_user(function: Any) -> bool:
    """Return whether an activation is none of Keras'."""
    module = str(getattr(function, "__module__", ""))
    return callable(function) and not module.startswith(_KNOWN)


def is_of_user(layer: Any) -> bool:
    """Return whether it is a layer or model whose class is the user's."""
    known = type(layer).__module__.startswith(_KNOWN)
    return isinstance(layer, keras.Layer) and not known


def is_own_layer(layer: Any) -> bool:
    """Return whether it is a layer of the user's that does nothing with masks."""
    if not is_of_user(layer) or uses_masks(layer):
        return False
    return bool(layer.compute_dtype == layer.variable_dtype)


def uses_masks(layer: keras.Layer) -> bool:
    """Return whether a layer takes or makes masks."""
    if type(layer) is layers.Lambda:  # It takes one for its function.
        return layer.mask is not None or accepts_parameter(layer.function, "mask")
    own_masks = type(layer).compute_mask is not keras.Layer.compute_mask
    return own_masks or accepts_parameter(layer.call, "mask")
