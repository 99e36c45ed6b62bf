"""What did it look at? Saliency maps of trained Keras networks.

logits, maps = ke.smoothgrad(model, x, y)
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from keras_explainable.common import installation

if TYPE_CHECKING:
    from keras_explainable import demo, filters, inspection, lowering, methods, utils
    from keras_explainable.engine.explain import explain, partial_explain
    from keras_explainable.engine.shortcuts import (
        cam,
        expected_gradients,
        full_gradients,
        gradcam,
        gradcampp,
        gradients,
        guided_gradients,
        hirescam,
        input_x_gradient,
        integrated_gradients,
        layercam,
        occlusion,
        rise,
        scorecam,
        smoothgrad,
        smoothgrad_squared,
        vargrad,
    )
    from keras_explainable.plotting.noise_sweep import sweep
    from keras_explainable.sampling.stats import Stats

__version__ = "0.1.0"

__all__ = [
    "Stats",
    "cam",
    "demo",
    "expected_gradients",
    "explain",
    "filters",
    "full_gradients",
    "gradcam",
    "gradcampp",
    "gradients",
    "guided_gradients",
    "hirescam",
    "input_x_gradient",
    "inspection",
    "integrated_gradients",
    "layercam",
    "lowering",
    "methods",
    "occlusion",
    "partial_explain",
    "rise",
    "scorecam",
    "smoothgrad",
    "smoothgrad_squared",
    "sweep",
    "utils",
    "vargrad",
]

_MODULES = ("demo", "filters", "inspection", "lowering", "methods", "utils")

_HOMES = {
    "Stats": "sampling.stats",
    "sweep": "plotting.noise_sweep",
    "explain": "engine.explain",
    "partial_explain": "engine.explain",
}

installation.check()


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used.

    Keras and its backend take seconds to import: ``--help`` has no use for them.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    is_module = name in _MODULES
    home = name if is_module else _HOMES.get(name, "engine.shortcuts")
    module = import_module(f"{__name__}.{home}")
    globals()[name] = module if is_module else getattr(module, name)
    return globals()[name]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
