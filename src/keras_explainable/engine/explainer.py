"""Methods and shortcuts alike, as functions that explain data."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from keras_explainable.engine.explain import explain
from keras_explainable.engine.explanation.explanation import AnyExplanation
from keras_explainable.execution.compilation import accepts_parameter, display_name
from keras_explainable.execution.method_checks import (
    check_method,
    check_parameters,
    is_shortcut,
    keyword_parameters,
    own_parameters,
    parameters_after,
    takes_any_parameter,
)
from keras_explainable.execution.model_preparation import unwrapped

#: Function of a model, ``x`` and ``y``, and of the parameters of ``explain``.
Explainer = Callable[..., AnyExplanation]


def explainer(method: Any) -> Explainer:
    """Return the function that explains data with a method, or is a shortcut.

    Raises:
        TypeError: If ``method`` is neither.
    """
    if is_shortcut(method):
        return method
    check_method(method)
    return partial(explain, method)


def check_passed_on(function: Any, method: Any, given: Collection[str]) -> None:
    """Raise TypeError for parameters that neither a function nor a method takes.

    Args:
        function: Function that passes parameters on to ``explain`` and to the method.
        method: Explaining method or shortcut.
        given: Names of the parameters that it passes on.
    """
    if not takes_any_parameter(method):
        own = [each.name for each in own_parameters(method)]
        own = [*keyword_parameters(function), *own]
        of_explain = parameters_after(explain, "y")
        check_parameters(display_name(function), given, own, of_explain)


def takes_seed(method: Any) -> bool:
    """Whether draws of a method or shortcut depend on a ``seed`` still to be given."""
    if "seed" in bound_keywords(method):
        return False
    inner = unwrapped(method)
    own = getattr(inner, "method", inner)  # What `partial_explain` was given.
    is_bound = "seed" in getattr(inner, "defaults", ()) or (
        own is not inner and "seed" in bound_keywords(own)
    )
    return accepts_parameter(own, "seed") and not is_bound


def bound_keywords(function: Any) -> dict[str, Any]:
    """Return the keywords that partials of a function have bound."""
    # A partial of a partial is one partial.
    return dict(function.keywords) if isinstance(function, partial) else {}
