"""What to explain: scores of a model's outputs, to pass as ``y``.

A target is a function of what the model returns, and maybe of data of each image: a
mask of a segmentation, a label, another sample's embedding. Here a target is only
described; ``ke.explain`` makes it the end of the network, and gives each image its own
row of the data. Nothing here knows the methods, noise or batches.
"""

from keras_explainable.targets.of_images import (
    loss,
    reconstruction,
    region,
    similarity,
)
from keras_explainable.targets.of_outputs import contrast, neuron, output, units
from keras_explainable.targets.target import Target

__all__ = [
    "Target",
    "contrast",
    "loss",
    "neuron",
    "output",
    "reconstruction",
    "region",
    "similarity",
    "units",
]

__dir__ = __all__.copy
