"""Find the layers of a model and of the models nested in it."""

from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_explainable.common import near_names
from keras_explainable.network.layers_of_model import layers_reversed
from keras_explainable.types import Model

#: Layers that take the mean or the maximum over all spatial positions.
GLOBAL_POOLING = tuple(
    getattr(keras.layers, f"Global{kind}Pooling{rank}D")
    for kind in ("Average", "Max")
    for rank in (1, 2, 3)
)

#: Layers that end the spatial axes.
POOLING_LAYERS = (keras.layers.Flatten, *GLOBAL_POOLING)

#: Names of attributes that a layer must have, or a function from a layer to a bool.
Properties = str | Sequence[str] | Callable[[keras.Layer], bool]


def get_nested_layer(model: Model, name: str | Sequence[str]) -> keras.Layer:
    """Return the layer with this name, from ``model`` or a model nested in it.

    Args:
        model: Keras model.
        name: Name of the layer; or the names of the models in which it is nested, from
            outside to inside, and its own, such as ``["outer", "inner"]``.

    Raises:
        ValueError: If there is no such layer. The message names similar ones.
    """
    for each in [name] if isinstance(name, str) else name:
        model = _layer_named(model, each)
    return model


def _layer_named(model: Model, name: str) -> keras.Layer:
    """Return a layer of the model itself, which may be a model, or a nested one."""
    every = [*getattr(model, "layers", ()), *layers_reversed(model)]
    for layer in every:
        if layer.name == name:
            return layer
    raise _missing(model, f"named {name!r}", name)


def find_layer_with(
    model: Model,
    name: str | Sequence[str] | None = None,
    properties: Properties | None = None,
    klass: type | tuple[type, ...] | None = None,
    search_reversed: bool = True,
    *,
    described: str | None = None,
) -> keras.Layer:
    """Return the last layer that has all properties and is of one of the classes.

    Args:
        model: Keras model. Nested models are searched as well, from their end.
        name: Name of the layer, as in ``get_nested_layer``; it alone decides.
        properties: Names of attributes that the layer has, such as ``["kernel"]``, or a
            function from a layer to a bool.
        klass: Class of the layer, or several of which it has one.
        search_reversed: False returns the first layer in place of the last.
        described: Description of the layer for the error message, such as
            "with a kernel".

    Raises:
        ValueError: If nothing is asked for, or if there is no such layer. The message
            lists the names of a small model.
    """
    if name is not None:
        return get_nested_layer(model, name)
    if properties is None and klass is None:
        raise ValueError(
            "`name`, `properties` or `klass` must be given; received none of them."
        )
    found = layers_reversed(model)
    for layer in found if search_reversed else found[::-1]:
        if isinstance(layer, klass or keras.Layer) and _has(layer, properties):
            return layer
    raise _missing(model, described or _description(properties, klass))


def _has(layer: keras.Layer, properties: Properties | None) -> bool:
    if callable(properties):
        return properties(layer)
    return all(hasattr(layer, each) for each in _names(properties))


def _names(properties: Any) -> list[str]:
    return [properties] if isinstance(properties, str) else list(properties or ())


def _description(properties: Any, klass: Any) -> str:
    listed = klass if isinstance(klass, tuple) else filter(None, [klass])
    kinds = " or ".join(each.__name__ for each in listed)
    wanted = ["such properties"] if callable(properties) else _names(properties)
    of_class = [f"of class {kinds}"] if kinds else []
    with_names = ["with " + ", ".join(wanted)] if wanted else []
    return " ".join([*of_class, *with_names])


def _missing(model: Model, described: str, name: str = "") -> ValueError:
    names = [layer.name for layer in layers_reversed(model)][::-1]
    return ValueError(
        f"`model` must have a layer {described}; received {model.name!r} with "
        f"{near_names.listing('layers', name, names)}"
    )


def get_logits_layer(
    model: Model, name: str | Sequence[str] | None = None
) -> keras.Layer:
    """Return the layer that computes the logits: the last layer with a kernel.

    Args:
        model: Keras model. Nested models are searched as well, from their end.
        name: Name of the layer, if it is known, as in ``get_nested_layer``.

    Raises:
        ValueError: If there is no such layer.
    """
    described = "with a kernel (Dense or convolution)"
    return find_layer_with(model, name, "kernel", described=described)


def get_global_pooling_layer(
    model: Model, name: str | Sequence[str] | None = None
) -> keras.Layer:
    """Return the last layer that pools over all spatial positions.

    It is the last layer that flattens them in a model without such a pooling.

    Args:
        model: Keras model. Nested models are searched as well, from their end.
        name: Name of the layer, if it is known, as in ``get_nested_layer``.

    Raises:
        ValueError: If there is no such layer.
    """
    pools = any(isinstance(layer, GLOBAL_POOLING) for layer in layers_reversed(model))
    kinds = GLOBAL_POOLING if pools else POOLING_LAYERS
    return find_layer_with(model, name, klass=kinds, described="of global pooling")
