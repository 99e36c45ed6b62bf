"""Find the layers of a model and of the models nested in it."""

from collections.abc import Callable

import keras

from keras_explainable.network.layers_of_model import layers_reversed
from keras_explainable.types import Model

#: Layers that take the mean or the maximum over all spatial positions.
GLOBAL_POOLING = tuple(
    getattr(keras.layers, f"Global{kind}Pooling{rank}D")
    for kind in ("Average", "Max")
    for rank in (1, 2, 3)
)


def get_nested_layer(model: Model, name: str) -> keras.Layer:
    """Return the layer with this name, from ``model`` or a model nested in it.

    Args:
        model: Keras model.
        name: Name of the layer.

    Raises:
        ValueError: If there is no such layer. The message lists the names that exist.
    """
    return find_layer_with(model, lambda layer: layer.name == name, f"named {name!r}")


def find_layer_with(
    model: Model,
    properties: str | Callable[[keras.Layer], bool],
    described: str | None = None,
) -> keras.Layer:
    """Return the last layer that has an attribute or satisfies a condition.

    Args:
        model: Keras model. Nested models are searched as well, from their end.
        properties: Name of an attribute, such as "kernel", or a function from a layer
            to a bool.
        described: Description of the layer for the error message, such as
            "with a kernel".

    Raises:
        ValueError: If there is no such layer. The message lists the names that exist.
    """
    for layer in layers_reversed(model):
        if properties(layer) if callable(properties) else hasattr(layer, properties):
            return layer
    raise ValueError(
        f"`model` must have a layer {described or f'with {properties}'}; received "
        f"{model.name!r} with layers "
        f"{[layer.name for layer in layers_reversed(model)][::-1]}."
    )


def get_logits_layer(model: Model, name: str | None = None) -> keras.Layer:
    """Return the layer that computes the logits: the last layer with a kernel.

    Args:
        model: Keras model. Nested models are searched as well, from their end.
        name: Name of the layer, if it is known.

    Raises:
        ValueError: If there is no such layer.
    """
    if name is not None:
        return get_nested_layer(model, name)
    return find_layer_with(model, "kernel", "with a kernel (Dense or convolution)")


def get_global_pooling_layer(model: Model, name: str | None = None) -> keras.Layer:
    """Return the last layer that pools over all spatial positions.

    Args:
        model: Keras model. Nested models are searched as well, from their end.
        name: Name of the layer, if it is known.

    Raises:
        ValueError: If there is no such layer.
    """
    if name is not None:
        return get_nested_layer(model, name)
    return find_layer_with(
        model, lambda layer: isinstance(layer, GLOBAL_POOLING), "of global pooling"
    )
