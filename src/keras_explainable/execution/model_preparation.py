"""What a method does to a model and its inputs before it explains them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from keras_explainable.types import Method, Model

Hook = Callable[[Model, dict[str, Any]], Model]


def prepares_model(
    hook: Hook, *, shows_layers: bool | None = False
) -> Callable[[Method], Method]:
    """Return a decorator for a method that needs ``hook(model, params)`` as its model.

    ``ke.explain`` calls the hook first, so that the rewritten model can be lowered. A
    hook must return a model unchanged if the hook itself has returned it before.

    Args:
        hook: Function of the model and the method's parameters, to a model.
        shows_layers: Whether the maps are of layers that the hook exposes; None if a
            method of the user's inside does not say it.
    """

    def decorate(method: Method) -> Method:
        method.prepare = hook  # type: ignore[attr-defined]
        method.shows_layers = shows_layers  # type: ignore[attr-defined]
        return method

    return decorate


def prepared_model(method: Method, model: Model, params: dict[str, Any]) -> Model:
    """Return the model that ``method``, called with ``params``, needs for ``model``."""
    inner: Any = method
    while isinstance(inner, partial):
        inner, params = inner.func, inner.keywords | params
    hook: Hook | None = getattr(inner, "prepare", None)
    return model if hook is None else hook(model, params)


def preprocessing_of(method: Method | None) -> Callable[[Any], Any] | None:
    """Return the function from a method's inputs to what the model sees, if any."""
    return getattr(unwrapped(method), "preprocess", None)


def shows_layers(method: Method | None) -> bool | None:
    """Return whether the maps of a method are of layers, and not of the inputs.

    None for a method of the user's, which does not say it.
    """
    inner = unwrapped(method)
    ours = str(getattr(inner, "__module__", "")).startswith("keras_explainable.")
    return getattr(inner, "shows_layers", False if ours else None)


def titled(method: Method, title: Callable[[Model], str]) -> Method:
    """Return a method whose results show a title, a function of the prepared model."""
    method.title = title  # type: ignore[attr-defined]
    return method


def title_of(method: Method, model: Model) -> str | None:
    """Return the title of the results of a method that ran ``model``, if it has one."""
    title = getattr(method, "title", None)
    return None if title is None else str(title(model))


def takes_tokens(method: Method) -> Method:
    """Mark a method that neither draws noise for its inputs nor differentiates by them.

    It is given tokens as they are where a layer of the user's embeds them.
    """
    method.takes_tokens = True  # type: ignore[attr-defined]
    return method


def does_take_tokens(method: Method) -> bool:
    """Return whether a method is marked so; a meta method of it is not."""
    marked = getattr(unwrapped(method), "takes_tokens", False)
    return marked and maker_of(method) is None


def moves_positions(method: Method | None) -> bool:
    """Return whether a method flips or scales inputs, so that positions differ."""
    return getattr(unwrapped(method), "moves_positions", False)


def places_maps(method: Method | None) -> bool:
    """Return whether the maps of layers have the positions of the input already."""
    return getattr(unwrapped(method), "places_maps", False)


def maker_of(method: Method | None) -> partial[Method] | None:
    """Return the call that made a meta method, as a partial of keywords, if known."""
    return getattr(unwrapped(method), "made_by", None)


def remade(method: Method, **params: Any) -> Method:
    """Return a meta method made anew with some other parameters."""
    made = maker_of(method)
    assert made is not None
    bound = method.keywords if isinstance(method, partial) else {}
    return partial(partial(made, **params)(), **bound)


def unwrapped(method: Any) -> Any:
    """Return the function of a partial, however often it was wrapped."""
    while isinstance(method, partial):
        method = method.func
    return method
