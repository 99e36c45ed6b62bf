"""The explanation methods: what is computed for a model, inputs and units.

A method is a function ``method(model, inputs, indices, **params)`` that returns logits
(B, K) and maps (B, ..., K); a meta method turns a method into another one. Families of
methods do not import each other. None of them knows where inputs come from, how they
are batched, or what happens to the maps: this is up to ``engine``.
"""

from typing import Any

from keras_explainable.common import near_names
from keras_explainable.methods import attention, cams, gradient, meta, perturbation

__all__ = ["attention", "cams", "gradient", "meta", "perturbation"]


__dir__ = __all__.copy

_PATHS = {
    name: f"ke.methods.{family}.{name}{'(...)' if family == 'meta' else ''}"
    for family in __all__
    for name in globals()[family].__all__
}


def __getattr__(name: str) -> Any:
    """Raise an error that names the family of a method."""
    hint = "" if name.startswith("_") else _hint(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")


def _hint(name: str) -> str:
    found = [name] if name in _PATHS else near_names.nearest(name, _PATHS)
    return f"; did you mean `{_PATHS[found[0]]}`?" if found else ""


def path_of(name: str) -> str | None:
    """Return where the user finds a method; None if there is none of this name."""
    return _PATHS.get(name)
