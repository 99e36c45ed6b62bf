"""Public module for pictures, ``ke.utils``; the code is in ``plotting``."""

from keras_explainable.plotting.label_maps import (
    bounding_boxes,
    color_labels,
    label_map,
    legend,
)
from keras_explainable.plotting.overlays import overlay, save_overlay
from keras_explainable.plotting.visualize import visualize

__all__ = [
    "bounding_boxes",
    "color_labels",
    "label_map",
    "legend",
    "overlay",
    "save_overlay",
    "visualize",
]
__dir__ = __all__.copy
