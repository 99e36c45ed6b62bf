"""What did it look at? Saliency maps of trained Keras networks.

    import keras_explainable as ke

    logits, maps = ke.smoothgrad(model, x, y)

The methods take a model and inputs and return logits and maps. This package exports
the public names and imports each of them when it is first used, because Keras and its
backend take seconds to import. No module below it may import from here except
``__version__``; ``cli``, ``explorer`` and ``report`` use the library as any user does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from keras_explainable.common import installation

if TYPE_CHECKING:
    from keras_explainable import (
        callbacks,
        demo,
        distributed,
        filters,
        inspection,
        lowering,
        methods,
        metrics,
        targets,
        utils,
    )
    from keras_explainable.engine.attention_maps import attention_maps
    from keras_explainable.engine.check_gradients import check_gradients
    from keras_explainable.engine.explain import explain
    from keras_explainable.engine.explanation.explanation import Explanation
    from keras_explainable.engine.partial_explain import partial_explain
    from keras_explainable.engine.shortcuts import (
        attention_rollout,
        attnlrp,
        cam,
        d_minmaxcam,
        d_minmaxgradcam,
        expected_gradients,
        full_gradients,
        gradcam,
        gradcampp,
        gradient_attention_rollout,
        gradients,
        guided_gradients,
        hirescam,
        input_x_gradient,
        integrated_gradients,
        layercam,
        minmaxcam,
        minmaxgradcam,
        occlusion,
        rise,
        scorecam,
        smoothgrad,
        smoothgrad_squared,
        transformer_attribution,
        vargrad,
    )
    from keras_explainable.evaluation.evaluate import evaluate
    from keras_explainable.evaluation.evaluation import Evaluation
    from keras_explainable.explorer.explore import explore
    from keras_explainable.plotting.noise_sweep import sweep
    from keras_explainable.sampling.stats import Stats

__version__ = "0.1.0"

__all__ = [
    "Evaluation",
    "Explanation",
    "Stats",
    "attention_maps",
    "attention_rollout",
    "attnlrp",
    "callbacks",
    "cam",
    "check_gradients",
    "d_minmaxcam",
    "d_minmaxgradcam",
    "demo",
    "distributed",
    "evaluate",
    "expected_gradients",
    "explain",
    "explore",
    "filters",
    "full_gradients",
    "gradcam",
    "gradcampp",
    "gradient_attention_rollout",
    "gradients",
    "guided_gradients",
    "hirescam",
    "input_x_gradient",
    "inspection",
    "integrated_gradients",
    "layercam",
    "lowering",
    "methods",
    "metrics",
    "minmaxcam",
    "minmaxgradcam",
    "occlusion",
    "partial_explain",
    "rise",
    "scorecam",
    "smoothgrad",
    "smoothgrad_squared",
    "sweep",
    "targets",
    "transformer_attribution",
    "utils",
    "vargrad",
]
__dir__ = __all__.copy

_MODULES = (
    "callbacks",
    "demo",
    "distributed",
    "filters",
    "inspection",
    "lowering",
    "methods",
    "metrics",
    "targets",
    "utils",
)

_DEFINED_IN = {
    "attention_maps": "engine.attention_maps",
    "check_gradients": "engine.check_gradients",
    "Evaluation": "evaluation.evaluation",
    "Explanation": "engine.explanation.explanation",
    "Stats": "sampling.stats",
    "evaluate": "evaluation.evaluate",
    "sweep": "plotting.noise_sweep",
    "explain": "engine.explain",
    "explore": "explorer.explore",
    "partial_explain": "engine.partial_explain",
}

#: Names of the original package that are no part of this one's own.
_ORIGINAL = {"engine": "engine", "explaining": "engine.explaining"}

installation.prepare()


def __getattr__(name: str) -> Any:
    """Return a public name, imported at its first use."""
    if name in _ORIGINAL:
        return import_module(f"{__name__}.{_ORIGINAL[name]}")
    if name not in __all__:
        raise AttributeError(
            f"module {__name__!r} has no attribute {name!r}{_question(name)}"
        )
    is_module = name in _MODULES
    path = name if is_module else _DEFINED_IN.get(name, "engine.shortcuts")
    module = import_module(f"{__name__}.{path}")
    globals()[name] = module if is_module else getattr(module, name)
    return globals()[name]


def _question(name: str) -> str:
    """Return which public names may have been meant; "" for those of Python's own."""
    if name.startswith("_"):
        return ""
    near_names = import_module(f"{__name__}.common.near_names")
    return str(near_names.question(name, __all__))
