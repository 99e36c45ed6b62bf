"""Class activation maps: sums of a layer's channels, weighted for a unit."""

from keras_explainable.methods.cams.scores import scorecam
from keras_explainable.methods.cams.weighted import (
    cam,
    gradcam,
    gradcampp,
    hirescam,
    layercam,
)

__all__ = ["cam", "gradcam", "gradcampp", "hirescam", "layercam", "scorecam"]
