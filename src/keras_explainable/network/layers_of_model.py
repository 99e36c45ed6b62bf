"""The layers of a model, also those that others hold, and what copies depend on."""

import dis
from collections.abc import Iterator
from functools import cache
from types import CodeType
from typing import Any

import keras

from keras_explainable.network.activations import activation_of
from keras_explainable.types import Model

#: Attributes with numbers that layers compute with.
NUMBERS = (
    "alpha", "epsilon", "max_value", "negative_slope", "offset", "scale", "threshold",
)  # fmt: skip

#: Kinds of attributes of the user's own layers that are settings.
PLAIN = (bool, int, float, str, tuple, type(None))

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
    """Return what copies of the model depend on, and what may be changed at any time.

    These are the layers (``Sequential.pop``), their activations, the numbers that they
    compute with, the settings of the user's own layers, and the variables
    (``enable_lora``).
    """
    layers = layers_reversed(model)
    state = [(id(layer), activation_of(layer), *_numbers(layer)) for layer in layers]
    own = [_settings(layer) for layer in (model, *held_layers(model))]
    return [*state, *filter(None, own), *map(id, model.variables)]


def _settings(layer: keras.Layer) -> dict[str, Any]:
    """Return the numbers, texts and switches of a layer that is not Keras' own.

    Those that its ``call`` sets itself, such as a counter, are left out.
    """
    if type(layer).__module__.partition(".")[0] in ("keras", "keras_explainable"):
        return {}
    hidden = _names_of_keras() | _names_set(getattr(type(layer).call, "__code__", None))
    return {
        name: value
        for name, value in vars(layer).items()
        if name not in hidden and isinstance(value, PLAIN)
    }


@cache
def _names_of_keras() -> frozenset[str]:
    """Return the names of the attributes that every layer or model has."""
    return frozenset({*vars(keras.Layer()), *vars(keras.Model())})


@cache
def _names_set(code: CodeType | None) -> frozenset[str]:
    """Return the names of the attributes that a function sets."""
    found = dis.get_instructions(code) if code else ()
    return frozenset(x.argval for x in found if x.opname == "STORE_ATTR")


def _numbers(layer: keras.Layer) -> list[Any]:
    attributes = vars(layer)  # PyTorch looks long for attributes that are missing.
    found = [attributes[name] for name in NUMBERS if name in attributes]
    return [x if isinstance(x, float | int) else id(x) for x in found]


def has_layer(model: Model, kinds: Any) -> bool:
    """Return whether any layer, however deep in others, is of one of the kinds."""
    return any(isinstance(layer, kinds) for layer in held_layers(model))


def held_layers(model: Model) -> list[keras.Layer]:
    """Return all layers, also those that layers of the user's hold."""
    return [*_held(model, set())]


def trained_weights(layers: list[keras.Layer]) -> list[keras.Variable]:
    """Return the weights of layers that training changes, also if they are frozen.

    Statistics, such as those of batch normalization, and states are none of them.
    """
    seen: set[int] = set()
    held = [each for layer in layers for each in (layer, *_held(layer, seen))]
    # Public properties do not tell a frozen weight from a statistic.
    lists = [getattr(layer, "_trainable_variables", ()) for layer in held]
    weights = {id(x): x for each in lists for x in each if "float" in x.dtype}
    return [*weights.values()]


def _held(holder: Any, seen: set[int]) -> Iterator[Any]:
    """Yield the layers that a layer or model holds, and those that these hold."""
    # What Keras tracks; the public ``layers`` of models lacks what other layers hold.
    for layer in getattr(holder, "_layers", ()):
        if id(layer) not in seen:
            seen.add(id(layer))
            yield layer
            yield from _held(layer, seen)
