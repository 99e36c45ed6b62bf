"""Write the stub that tells type checkers the signatures of all shortcuts.

A shortcut is made of a method, so that its signature is known when it runs. Type
checkers do not run code: they read ``engine/shortcuts.pyi``, which is written with
``python tools/make_stubs.py``.
"""

import inspect
from inspect import Parameter, formatannotation
from pathlib import Path

import keras_explainable as ke
from keras_explainable.engine import shortcuts
from keras_explainable.execution.method_checks import is_shortcut
from keras_explainable.inspection.exposed_attention import Names
from keras_explainable.inspection.find_calls import Endpoint
from keras_explainable.sampling.noise import Amount

#: Where the stub belongs, beside the module that it describes.
PATH = Path(ke.__file__).parent / "engine" / "shortcuts.pyi"

HEAD = '''\
"""Signatures of the shortcuts, written by ``tools/make_stubs.py``."""

import collections.abc
from typing import Any, Literal, TypeAlias, overload

from keras_explainable.engine.explanation.explanation import Explanation
from keras_explainable.inspection.exposed_attention import Names
from keras_explainable.inspection.find_calls import Endpoint
from keras_explainable.sampling.noise import Amount
from keras_explainable.sampling.stats import Stats
from keras_explainable.types import Array

#: Several inputs have maps for each, in their structure; one has an array.
Maps: TypeAlias = Array | Any
'''

#: Names of unions that are written out in signatures.
ALIASES = {
    formatannotation(Endpoint | None): "Endpoint | None",
    formatannotation(Amount): "Amount",
    formatannotation(Names): "Names",
    "typing.": "",
}

LOGITS_AND_MAPS = "Explanation[Array, Maps]"
WITH_STATS = "Explanation[Array, Maps, Stats | Any]"


def stub() -> str:
    """Return the stub of the module of shortcuts."""
    names = sorted(name for name, x in vars(shortcuts).items() if is_shortcut(x))
    text = "".join([HEAD, "\n", *map(declarations, names)])
    return text.replace("'", '"')  # As the formatter writes strings.


def declarations(name: str) -> str:
    """Return a shortcut's signature, one for each kind of result."""
    every = inspect.signature(getattr(shortcuts, name)).parameters.values()
    if "return_stats" not in [each.name for each in every]:
        return function(name, every, LOGITS_AND_MAPS)
    kinds = {
        "Literal[False] = False": LOGITS_AND_MAPS,
        "Literal[True]": WITH_STATS,
        "bool": "Explanation[*tuple[Any, ...]]",
    }
    return "".join(
        f"@overload\n{function(name, every, result, kind)}"
        for kind, result in kinds.items()
    )


def function(name: str, parameters, result: str, stats: str = "") -> str:
    """Return the signature of a function, with a given type of ``return_stats``."""
    lines = [f"def {name}(", *parameter_lines(parameters, stats), f") -> {result}: ..."]
    return "\n".join([*lines, ""])


def parameter_lines(parameters, stats: str) -> list[str]:
    """Return a line for each parameter, and one for the star before keywords."""
    lines = [f"    {parameter_text(each, stats)}," for each in parameters]
    kinds = [each.kind for each in parameters]
    lines.insert(kinds.index(Parameter.KEYWORD_ONLY), "    *,")
    return lines


def parameter_text(parameter: Parameter, stats: str) -> str:
    """Return a parameter with its type and default."""
    if parameter.name == "return_stats":
        return f"return_stats: {stats}"
    annotation = formatannotation(parameter.annotation)
    for text, alias in ALIASES.items():
        annotation = annotation.replace(text, alias)
    if parameter.default is Parameter.empty:
        return f"{parameter.name}: {annotation}"
    return f"{parameter.name}: {annotation} = {default_text(parameter.default)}"


def default_text(value: object) -> str:
    """Return a default value as a stub shows it: functions are left out."""
    return "..." if callable(value) else repr(value)


if __name__ == "__main__":
    PATH.write_text(stub(), encoding="utf-8")
    print(f"Wrote {PATH.name}")
