"""Public module for drawing, ``ke.utils.visualize``; the code is in ``plotting``."""

from keras_explainable.plotting.visualize import visualize

__all__ = ["visualize"]


def __dir__() -> list[str]:
    return __all__
