"""The layers of a model, also those that others hold, and what copies depend on."""

import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from types import FunctionType, MappingProxyType
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.execution.function_key import (
    attributes,
    instructions_and_variables,
    is_of_package,
    names_stored,
)
from keras_explainable.types import Model

#: Attributes that are compared by value.
PLAIN = frozenset({bool, int, float, str, type(None)})

#: Number of values up to which an array is compared by value, too.
LARGEST_ARRAY = 2**16

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
    if isinstance(layer, keras.Model):
        return layers_reversed(layer)
    wrapped = [getattr(layer, name, None) for name in WRAPPED]
    inner = [each for each in wrapped if isinstance(each, keras.Layer)]
    return [layer, *(x for each in inner for x in layers_within(each))]


def model_state(model: Model) -> list[Any]:
    """Return what copies of the model depend on, and what may be changed at any time.

    These are the layers (``Sequential.pop``), also those that layers of the user's
    hold, and their attributes: settings, activations, functions and variables
    (``enable_lora``). The values of variables, which copies share, are none of them.
    """
    layers = (model, *held_layers(model))
    return [(id(layer), *_attributes(layer)) for layer in layers]


def _attributes(layer: keras.Layer) -> list[Any]:
    kind, known = type(layer), _is_of_keras(type(layer))
    if known and isinstance(layer, keras.Model):
        return []  # It computes no more than its layers.
    hidden = _hidden(kind.call)
    found = [
        x if type(x) in PLAIN else _way_to_compare(type(x))(x)  # type: ignore[arg-type]
        for name, x in vars(layer).items()
        if name not in hidden
    ]
    return found if known else [*found, *map(_setting, _own_classes(kind))]


def _own_classes(kind: type) -> list[MappingProxyType[str, Any]]:
    """Return the attributes of a class of the user's and of those it is made from.

    Its functions may be replaced, or given other instructions by an editor.
    """
    return [vars(each) for each in kind.__mro__ if not is_of_package(each)]


@cache
def _way_to_compare(kind: type) -> Callable[[Any], Any]:
    """Return ``id`` for objects of Keras', such as variables and initializers."""
    is_container = issubclass(kind, list | tuple | dict)  # Keras has its own lists.
    return id if _is_of_keras(kind) and not is_container else _setting


def _setting(value: Any, depth: int = 3) -> Any:
    """Return something that is equal only for the same setting."""
    if type(value) in PLAIN:
        return value
    if isinstance(value, list | tuple | deque) and depth:
        return [_setting(x, depth - 1) for x in value]
    if isinstance(value, dict | MappingProxyType) and depth:
        return [(name, _setting(x, depth - 1)) for name, x in value.items()]
    if isinstance(value, property):
        return _setting(value.fget)
    if isinstance(value, FunctionType):
        known = (value.__module__ or "").startswith("keras.")
        return id(value) if known else instructions_and_variables(value)
    if isinstance(value, np.ndarray) and value.size <= LARGEST_ARRAY:
        return value.dtype.str, value.shape, value.tobytes()
    if ops.is_tensor(value):
        return _Same(value)
    if is_of_package(type(value)):  # These live as long as the layer does.
        return id(value)
    own = depth and not isinstance(value, keras.Layer)
    held = attributes(value) if own else ()
    return [_Same(value), *((name, _setting(x, depth - 1)) for name, x in held)]


class _Same:
    """Equal for the same object only, also if another one gets its address."""

    __slots__ = ("_object",)

    def __init__(self, value: Any):
        self._object: Callable[[], Any] = lambda: value
        with suppress(TypeError):  # Not every object can be referred to weakly.
            self._object = weakref.ref(value)

    def __eq__(self, other: object) -> bool:
        known = self._object()
        same = isinstance(other, _Same) and other._object() is known
        return same and known is not None

    __hash__ = None  # type: ignore[assignment]


def _is_of_keras(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in ("keras", "keras_explainable")


@cache
def _hidden(call: Callable[..., Any]) -> frozenset[str]:
    """Return the names of attributes of layers that are no settings.

    Every layer or model has them; or a call itself sets them, such as a counter.
    """
    every = {*vars(keras.Layer()), *vars(keras.Model())} - {"_dtype_policy"}
    code = getattr(call, "__code__", None)
    return frozenset(every | (names_stored(code, "STORE_ATTR") if code else set()))


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
