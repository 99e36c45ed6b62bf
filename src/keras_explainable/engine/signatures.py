"""Signatures of functions that explain data with one method."""

import inspect
from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import Any

from keras_explainable.engine.explain import explain
from keras_explainable.engine.explanation.explanation import Explanation
from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.execution.method_checks import own_parameters
from keras_explainable.inspection.axes import Axes
from keras_explainable.types import Method

#: Parameters of methods that ``explain`` itself gives them.
_GIVEN = ("rows", "progress")


def explaining_signature(method: Method, defaults: Mapping[str, Any]) -> Signature:
    """Return the signature of ``explain`` for one method, with other defaults.

    The method's own parameters are named one by one, in place of ``**method_params``.
    Those of the axes, which all methods share, come last.
    """
    options = options_of_explain(return_stats=accepts_parameter(method, "return_stats"))
    known = {*_GIVEN, "return_stats", *(each.name for each in options)}
    own = [each for each in own_parameters(method) if each.name not in known]
    return joined_signature([*own, *options], defaults)


def options_of_explain(*, return_stats: bool) -> list[Parameter]:
    """Return the parameters of ``explain`` but for its method and the method's own."""
    _, *every, _ = inspect.signature(explain).parameters.values()
    return [each for each in every if return_stats or each.name != "return_stats"]


def joined_signature(
    parameters: list[Parameter], defaults: Mapping[str, Any]
) -> Signature:
    """Return the signature of parameters, ordered by kind, with other defaults."""
    ordered = sorted(
        parameters, key=lambda each: (each.kind, each.name in Axes._fields)
    )
    own = [
        each.replace(default=defaults.get(each.name, each.default)) for each in ordered
    ]
    return Signature(own, return_annotation=Explanation)
