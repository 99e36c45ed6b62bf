"""Models that a method wants in the place of the one it is to explain."""

from collections.abc import Callable
from functools import partial
from typing import Any

from keras_explainable.types import Method, Model

Hook = Callable[[Model, dict[str, Any]], Model]


def prepares_model(hook: Hook) -> Callable[[Method], Method]:
    """Decorate a method that wants ``hook(model, params)`` in the place of ``model``.

    ``ke.explain`` calls the hook first, so that the model it returns can be lowered.
    Given a model that it has returned, the hook must return it as it is.
    """

    def decorate(method: Method) -> Method:
        method.prepare = hook  # type: ignore[attr-defined]
        return method

    return decorate


def prepared_model(method: Method, model: Model, params: dict[str, Any]) -> Model:
    """Return the model that ``method``, called with ``params``, wants for ``model``."""
    inner: Any = method
    while isinstance(inner, partial):
        inner, params = inner.func, inner.keywords | params
    hook: Hook | None = getattr(inner, "prepare", None)
    return model if hook is None else hook(model, params)
