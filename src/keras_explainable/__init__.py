"""What did it look at? Saliency maps of trained Keras networks.

logits, maps = ke.smoothgrad(model, x, y)
"""

try:
    import keras as _keras  # noqa: F401
except ImportError as error:
    raise ImportError(
        "keras_explainable needs Keras with a backend: install one with "
        '`pip install "keras-explainable[tensorflow]"` (or [jax], or [torch]), and '
        "choose it with the environment variable KERAS_BACKEND if it is not "
        f"tensorflow (missing here: {error.name})."
    ) from error

from keras_explainable import demo, filters, inspection, methods, utils
from keras_explainable.engine.explaining import explain, partial_explain
from keras_explainable.engine.shortcuts import gradients, smoothgrad

__version__ = "0.1.0"

__all__ = [
    "demo",
    "explain",
    "filters",
    "gradients",
    "inspection",
    "methods",
    "partial_explain",
    "smoothgrad",
    "utils",
]
