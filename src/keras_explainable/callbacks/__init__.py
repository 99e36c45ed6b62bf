"""Callbacks for ``model.fit``: what a model looks at while it is trained."""

from keras_explainable.callbacks.explain import Explain

__all__ = ["Explain"]
__dir__ = __all__.copy
