"""What did it look at? Saliency maps of trained Keras networks.

logits, maps = ke.smoothgrad(model, x, y)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from keras_explainable import installation

if TYPE_CHECKING:
    from keras_explainable import demo, filters, inspection, lowering, methods, utils
    from keras_explainable.engine.explaining import explain, partial_explain
    from keras_explainable.engine.shortcuts import gradients, smoothgrad

__version__ = "0.1.0"

__all__ = [
    "demo",
    "explain",
    "filters",
    "gradients",
    "inspection",
    "lowering",
    "methods",
    "partial_explain",
    "smoothgrad",
    "utils",
]

_HOMES = {
    "explain": "engine.explaining",
    "gradients": "engine.shortcuts",
    "partial_explain": "engine.explaining",
    "smoothgrad": "engine.shortcuts",
}

installation.check()


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used.

    Keras and its backend take seconds to import: ``--help`` has no use for them.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_HOMES.get(name, name)}")
    globals()[name] = getattr(home, name) if name in _HOMES else home
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
