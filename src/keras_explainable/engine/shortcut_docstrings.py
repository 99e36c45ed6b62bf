"""Docstrings of shortcuts, made of those of their method and of ``explain``."""

import inspect
import re
from collections.abc import Callable, Mapping
from inspect import Parameter
from textwrap import fill
from typing import Any

from keras import ops

from keras_explainable import filters, methods
from keras_explainable.common.docstring_sections import entries, introduction, section
from keras_explainable.engine.explain import explain
from keras_explainable.engine.explanation.explanation import AnyExplanation
from keras_explainable.execution.compilation import display_name
from keras_explainable.inspection.axes import Axes
from keras_explainable.types import Method

Shortcut = Callable[..., AnyExplanation]
Texts = Mapping[str, str]

_WIDTH = 84  # So that a docstring fits 88 columns where it is shown indented.

_RETURNS = """
    ``logits`` (N, K), and ``maps`` (N, H, W, K) of the input's spatial size, as NumPy
    arrays. A model with several inputs has maps for each, in their structure."""

_STATS = """
    With ``return_stats=True``, ``Stats`` (the maps' uncertainty) come third."""


def document_method(function: Shortcut, method: Method) -> Shortcut:
    """Return a shortcut of a method, with a docstring for all of its parameters."""
    doc = inspect.getdoc(method) or ""
    doc = doc.replace("Return the logits", "Return the chosen logits", 1)
    return _documented(function, doc, {**_with_references(doc), **_of_explain()})


def document_function(function: Shortcut, described: Callable[..., Any]) -> Shortcut:
    """Return a shortcut with its own docstring, completed by another function's.

    Args:
        function: Shortcut.
        described: Function with the texts of the parameters that it does not describe.
    """
    doc, others = (inspect.getdoc(each) or "" for each in (function, described))
    texts = {**_of_explain(), **entries(others), **entries(doc)}
    return _documented(function, doc, texts)


def _documented(function: Shortcut, doc: str, texts: Texts) -> Shortcut:
    parameters = inspect.signature(function).parameters
    every = [_entry(each, texts) for each in parameters.values()]
    example = _example(function.__name__, parameters)
    parts = [
        introduction(doc),
        "\n".join(["Args:", *every]),
        f"Returns:{_RETURNS}{_STATS if 'return_stats' in parameters else ''}",
        "\n".join(["Raises:", *_raises(doc)]),
        f"Example::\n\n    {example}",
        f"Reference: {section(doc, 'Reference')}",
    ]
    function.__doc__ = "\n\n".join(parts)
    return function


def _of_explain() -> Texts:
    """Return the texts of the parameters that all shortcuts have."""
    of_axes = entries(inspect.getdoc(Axes) or "", "Attributes")
    return {**of_axes, **entries(inspect.getdoc(explain) or "")}


def _with_references(doc: str) -> Texts:
    """Return the texts of a method's docstring, and of those that it refers to."""
    texts: dict[str, str] = {}
    for name in re.findall(r"those of ``(\w+)``", doc):
        for module in (methods.gradient, methods.cams, methods.attention):
            method = getattr(module, name, None)
            texts |= _with_references(inspect.getdoc(method) or "") if method else {}
    return texts | entries(doc)


def _entry(parameter: Parameter, texts: Texts) -> str:
    text = texts.get(parameter.name, "")
    if "default" not in text.lower():
        text += _default(parameter.default)
    return _filled(f"{parameter.name}: {text}")


def _filled(text: str) -> str:
    """Return the lines of a section's entry."""
    return fill(
        text,
        _WIDTH,
        initial_indent="    ",
        subsequent_indent="        ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _default(value: Any) -> str:
    """Return a sentence on a default value, unless there is none."""
    if value is Parameter.empty or value is None:
        return ""
    return f" Defaults to ``{_shown(value)}``."


def _shown(value: Any) -> str:
    if not callable(value):
        return repr(value)
    name = display_name(value)
    for prefix, module in (("keras.ops.", ops), ("ke.filters.", filters)):
        if getattr(module, name, None) is value:
            return prefix + name
    return name


def _raises(doc: str) -> list[str]:
    """Return the errors of a method together with those of ``explain``."""
    own = entries(doc, "Raises")
    every = entries(inspect.getdoc(explain) or "", "Raises")
    return [_error(name, text, own.get(name)) for name, text in every.items()]


def _error(name: str, text: str, own: str | None) -> str:
    both = f"{own.rstrip('.')}; or {text[0].lower()}{text[1:]}" if own else text
    return _filled(f"{name}: {both}")


def _example(name: str, parameters: Mapping[str, Parameter]) -> str:
    required = [
        f", {each.name}={each.name}"
        for each in parameters.values()
        if each.kind is Parameter.KEYWORD_ONLY and each.default is Parameter.empty
    ]
    return f"logits, maps = ke.{name}(model, x, y{''.join(required)})"
