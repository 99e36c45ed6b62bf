"""The public names of Keras' functions and layers, found by introspection."""

import inspect
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import keras


def keras_namespaces() -> dict[str, Any]:
    """Return the modules whose names are in the bank, and those within them."""
    modules = {"layers": keras.layers, "activations": keras.activations}
    inner = {
        f"ops.{name}": value
        for name, value in _public(keras.ops).items()
        if isinstance(value, ModuleType)
    }
    return {"ops": keras.ops} | inner | modules


def public_names(namespaces: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Return functions and classes by one name each, and the number of other names.

    A function can be reached by several names, such as ``ops.relu`` and
    ``ops.nn.relu``; it is tried once.
    """
    found: dict[int, tuple[str, Any]] = {}
    aliases = 0
    for place, module in namespaces.items():
        for name, value in _public(module).items():
            if callable(value):
                aliases += id(value) in found
                found.setdefault(id(value), (f"{place}.{name}", value))
    return dict(found.values()), aliases


def is_layer(value: Any) -> bool:
    """Return whether it is a class of layers."""
    return inspect.isclass(value) and issubclass(value, keras.layers.Layer)


def _public(module: Any) -> dict[str, Any]:
    names = (name for name in dir(module) if not name.startswith("_"))
    return {name: getattr(module, name) for name in names}
