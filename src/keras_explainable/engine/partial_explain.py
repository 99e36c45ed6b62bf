"""``explain`` with its method, and some defaults, already chosen."""

from collections.abc import Callable
from typing import Any

from keras_explainable.engine.explain import explain
from keras_explainable.engine.explanation.explanation import AnyExplanation
from keras_explainable.engine.signatures import explaining_signature
from keras_explainable.execution.compilation import display_name
from keras_explainable.execution.method_checks import (
    check_method,
    parameters_after,
    shortcut,
)
from keras_explainable.types import Method, Model


def partial_explain(method: Method, **defaults: Any) -> Callable[..., AnyExplanation]:
    """Return ``explain`` with its method, and some defaults, already chosen.

    Args:
        method: Explaining method, as in ``explain``.
        **defaults: Parameters of ``explain`` or of the method. A call may override
            them.

    Returns:
        A function of ``(model, x, y=None, ...)``, whose other arguments are those of
        ``explain`` after ``y`` and those of the method. For example::

            smooth_explain = ke.partial_explain(smooth(gradients), batch_size=8)
            logits, maps = smooth_explain(model, x, y)
    """
    check_method(method)
    call: Callable[..., AnyExplanation] = explain

    def explain_with(
        model: Model, x: Any, y: Any = None, *args: Any, **params: Any
    ) -> AnyExplanation:
        given = {*parameters_after(explain, "y")[: len(args)], *params}
        others = {name: defaults[name] for name in defaults if name not in given}
        return call(method, model, x, y, *args, **others, **params)

    explain_with.__name__ = explain_with.__qualname__ = display_name(method)
    explain_with.__doc__ = (
        f"Return ``explain({display_name(method)}, model, x, y, ...)`` with these "
        f"defaults: {', '.join(defaults) or 'none'}.\n\nSee ``explain``."
    )
    signature = explaining_signature(method, defaults)
    explain_with.__signature__ = signature  # type: ignore[attr-defined]
    explain_with.method = method  # type: ignore[attr-defined]
    explain_with.defaults = defaults  # type: ignore[attr-defined]
    return shortcut(explain_with)
