"""Class activation maps: sums of a layer's channels, weighted for each unit.

Each method takes a model, inputs (B, H, W, C), units (B, K) and a layer, and returns
logits (B, K) and maps (B, h, w, K) of the layer's size. Weights come from gradients
(``gradcam``), from a linear head (``cam``) or from masked inputs (``scorecam``).
Nothing here resizes maps to the input or knows the other families of methods.
"""

from keras_explainable.methods.cams.cam import cam
from keras_explainable.methods.cams.gradcam import (
    gradcam,
    gradcampp,
    hirescam,
    layercam,
)
from keras_explainable.methods.cams.minmaxcam import (
    d_minmaxcam,
    d_minmaxgradcam,
    minmaxcam,
    minmaxgradcam,
)
from keras_explainable.methods.cams.scorecam import scorecam

__all__ = [
    "cam",
    "d_minmaxcam",
    "d_minmaxgradcam",
    "gradcam",
    "gradcampp",
    "hirescam",
    "layercam",
    "minmaxcam",
    "minmaxgradcam",
    "scorecam",
]

#: All methods of this module, as functions.
METHODS = [globals()[name] for name in __all__]

__dir__ = __all__.copy
