"""The layers of a model, also those that others hold, and what copies depend on."""

from collections.abc import Iterator
from typing import Any

import keras

from keras_explainable.network.activations import activation_of
from keras_explainable.types import Model

#: Attributes in which wrappers, such as TimeDistributed, keep their layers.
WRAPPED = ("backward_layer", "forward_layer", "layer")


def layers_reversed(model: Model) -> list[keras.Layer]:
    """Return all layers, last first, with nested models replaced by their layers.

    A wrapper, such as ``TimeDistributed``, comes before the layers that it wraps. A
    layer that several models share is listed once.
    """
    found: dict[int, keras.Layer] = {}
    for layer in reversed(model.layers):
        found |= {id(each): each for each in layers_within(layer)}
    return [*found.values()]


def layers_within(layer: keras.Layer) -> list[keras.Layer]:
    """Return the layers of a model, or a layer and those it wraps, last first."""
    if hasattr(layer, "layers"):
        return layers_reversed(layer)
    wrapped = [getattr(layer, name, None) for name in WRAPPED]
    inner = [each for each in wrapped if isinstance(each, keras.Layer)]
    return [layer, *(x for each in inner for x in layers_within(each))]


def model_state(model: Model) -> list[Any]:
    """Return the activations and variable ids, on which copies of the model depend.

    Activations may be replaced at any time, variables by ``enable_lora`` for example.
    """
    activations = [activation_of(layer) for layer in layers_reversed(model)]
    return [*activations, *map(id, model.variables)]


def has_layer(model: Model, kinds: Any) -> bool:
    """Return whether any layer, however deep in others, is of one of the kinds."""
    return any(isinstance(layer, kinds) for layer in held_layers(model))


def held_layers(model: Model) -> list[keras.Layer]:
    """Return all layers, also those that layers of the user's hold."""
    return [*_held(model, set())]


def _held(holder: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the layers among an object's attributes, and those that they hold."""
    attributes = getattr(holder, "__dict__", {})  # A model's own hold its graph, too.
    for value in keras.tree.flatten(getattr(holder, "layers", attributes)):
        if isinstance(value, keras.Layer) and id(value) not in seen:
            seen.add(id(value))
            yield value
            yield from _held(value, seen)
