"""Finding layers of a model, also within nested ones."""

from collections.abc import Callable
from typing import Any

import keras

from keras_explainable.types import Model

#: Layers that take the mean, or the maximum, over all of space.
GLOBAL_POOLING = tuple(
    getattr(keras.layers, f"Global{kind}Pooling{rank}D")
    for kind in ("Average", "Max")
    for rank in (1, 2, 3)
)


def get_nested_layer(model: Model, name: str) -> keras.Layer:
    """Return the layer of this name, of ``model`` itself or of a nested model.

    Raises:
        ValueError: if there is none; the message has the names there are.
    """
    return find_layer_with(model, lambda layer: layer.name == name, f"named {name!r}")


def find_layer_with(
    model: Model,
    properties: str | Callable[[keras.Layer], bool],
    described: str | None = None,
) -> keras.Layer:
    """Return the last layer that has an attribute, or for which a function is True.

    Args:
        model: Keras model; nested models are searched, too, from their end.
        properties: name of an attribute, such as "kernel", or a function of a layer.
        described: what the layer is called in the error, such as "with a kernel".

    Raises:
        ValueError: if there is none; the message has the names there are.
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
    """Return the layer that computes the logits: the last one with a kernel.

    Args:
        model: Keras model; nested models are searched from their end, too.
        name: the name of the layer, if it is known.

    Raises:
        ValueError: if there is no such layer.
    """
    if name is not None:
        return get_nested_layer(model, name)
    return find_layer_with(model, "kernel", "with a kernel (Dense or convolution)")


def get_global_pooling_layer(model: Model, name: str | None = None) -> keras.Layer:
    """Return the last layer that pools over all of space.

    Args:
        model: Keras model; nested models are searched from their end, too.
        name: the name of the layer, if it is known.

    Raises:
        ValueError: if there is no such layer.
    """
    if name is not None:
        return get_nested_layer(model, name)

    def pools(layer: Any) -> bool:
        return isinstance(layer, GLOBAL_POOLING)

    return find_layer_with(model, pools, "of global pooling")


def layers_reversed(model: Model) -> list[keras.Layer]:
    """Return all layers, those of nested models in their place, the last one first."""
    layers = []
    for layer in reversed(model.layers):
        nested = layers_reversed(layer) if hasattr(layer, "layers") else [layer]
        layers.extend(nested)
    return layers
