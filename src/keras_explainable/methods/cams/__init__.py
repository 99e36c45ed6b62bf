"""Class activation maps: sums of a layer's channels, weighted for a unit."""

from keras_explainable.methods.cams.gradcam import (
    cam,
    gradcam,
    gradcampp,
    hirescam,
    layercam,
)
from keras_explainable.methods.cams.scorecam import scorecam

__all__ = ["cam", "gradcam", "gradcampp", "hirescam", "layercam", "scorecam"]
