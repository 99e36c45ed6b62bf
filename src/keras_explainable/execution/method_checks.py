"""Checks of a method and of its parameters, before anything is computed."""

import difflib
import functools
import inspect
from collections.abc import Callable, Collection, Sequence
from importlib import import_module
from inspect import Parameter
from typing import Any, ParamSpec, TypeVar

import keras

from keras_explainable.common import checks
from keras_explainable.execution.compilation import display_name
from keras_explainable.execution.model_preparation import unwrapped
from keras_explainable.types import Method

_TAKE_NAMES = "The command and `ke.evaluate` take names."

Function = TypeVar("Function", bound=Callable[..., Any])
P = ParamSpec("P")
R = TypeVar("R")


def shortcut(function: Function) -> Function:
    """Mark a function that runs a method over data, and is no method itself."""
    function.is_shortcut = True  # type: ignore[attr-defined]
    return function


def check_method(method: Any) -> None:
    """Raise TypeError unless ``method`` can be an explaining method."""
    if isinstance(method, str):
        raise TypeError(
            "`method` must be a function such as `ke.methods.gradient.gradients`; "
            f"received the text {method!r}. {_function_of(method)}"
        )
    checks.is_callable("method", method)
    name = display_name(method)
    if isinstance(method, keras.Layer):
        raise TypeError(
            "`method` must be a method, given before the model, as in "
            f"`ke.explain(method, model, x, y)`; received the model {method.name!r}."
        )
    if is_shortcut(method):
        raise TypeError(
            "`method` must be a function such as `ke.methods.gradient.gradients` or "
            f"`ke.methods.meta.smooth(...)`; received the shortcut {name!r}, which is "
            f"called by itself: write `{name}(model, x, y)`."
        )
    if _takes_a_method(method):
        raise TypeError(
            f"`method` must be a method; received {name!r}, which takes a method and "
            f"returns one: write `{name}(gradients)`."
        )


def _function_of(name: str) -> str:
    """Return which functions have a name, and where names are taken."""
    package = import_module("keras_explainable")  # It lies above.
    path = package.methods.path_of(name)
    found = [f"Pass `{path}`"] if path else []
    if is_shortcut(getattr(package, name, None)):
        found.append(f"{'or call' if path else 'Call'} `ke.{name}(model, x, y)`")
    return f"{', '.join(found)}." if found else _TAKE_NAMES


def method_first(function: Callable[P, R]) -> Callable[P, R]:
    """Check that the first argument is a method, before Python counts arguments.

    Whoever leaves out the method reads of it, and not of a missing last argument.
    """

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if args:
            check_method(args[0])
        return function(*args, **kwargs)

    return checked


def is_shortcut(method: Any) -> bool:
    """Whether a function is a shortcut, or a partial of one."""
    return getattr(unwrapped(method), "is_shortcut", None) is True


def _takes_a_method(function: Any) -> bool:
    """Whether the first parameter is a method, as that of ``smooth``."""
    return next(iter(_parameters(function)), "") == "method"


def keyword_parameters(function: Any) -> list[str]:
    """Return the names of the parameters that are given by keyword only."""
    every = _parameters(function).values()
    return [each.name for each in every if each.kind is Parameter.KEYWORD_ONLY]


def parameters_after(function: Any, name: str) -> list[str]:
    """Return the names of the parameters after one, but for ``**params``."""
    every = _parameters(function).values()
    names = [each.name for each in every if each.kind is not Parameter.VAR_KEYWORD]
    return names[names.index(name) + 1 :]


def own_parameters(method: Method) -> list[Parameter]:
    """Return the parameters of a method that follow model, inputs and indices.

    If it takes others that its signature does not tell, ``**params`` is among them.
    """
    by_position = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    every = _parameters(method).values()
    first = [each.name for each in every if each.kind in by_position][:3]
    return [
        each.replace(kind=Parameter.KEYWORD_ONLY) if each.kind in by_position else each
        for each in every
        if each.name not in first and each.kind != Parameter.VAR_POSITIONAL
    ]


def check_parameters(
    function: str, given: Collection[str], own: Sequence[str], of_explain: Sequence[str]
) -> None:
    """Raise TypeError if a parameter is not among a function's or ``explain``'s own."""
    for name in given:
        if name in own or name in of_explain:
            continue
        near = difflib.get_close_matches(name, [*own, *of_explain], 1, 0.8)
        known = [*filter(None, [", ".join(own)])]
        known += ["those of `ke.explain`"] if of_explain else []
        listed = f"its parameters are {' and '.join(known)}."
        outer, is_called, _ = function.partition("(")
        if is_called:
            listed += f" Those of `{outer}` are given where it is called."
        hint = f"did you mean `{near[0]}`?" if near else listed
        raise TypeError(f"`{name}` is not a parameter of {function!r}; {hint}")


def check_required(function: str, given: Collection[str], method: Method) -> None:
    """Raise TypeError if a method's parameter without a default is missing."""
    for each in own_parameters(method):
        is_named = each.kind is Parameter.KEYWORD_ONLY
        if is_named and each.default is Parameter.empty and each.name not in given:
            raise TypeError(f"`{each.name}` must be given to {function!r}.")


def takes_any_parameter(method: Method) -> bool:
    """Whether a method takes parameters that its signature does not tell."""
    kinds = [each.kind for each in own_parameters(method)]
    return Parameter.VAR_KEYWORD in kinds


def _parameters(function: Any) -> dict[str, Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # Some builtins have no signature.
        return {"params": Parameter("params", Parameter.VAR_KEYWORD)}
