"""Public module for drawing, ``ke.utils.visualize``; the code is in ``plotting``."""

from keras_explainable.plotting.visualize import visualize

__all__ = ["visualize"]
__dir__ = __all__.copy
