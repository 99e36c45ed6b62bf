"""Models that cannot be explained, and maps that explain nothing."""

import numpy as np

from keras_explainable.inspection.finding import layers_from_the_end
from keras_explainable.types import Model
from keras_explainable.warning import warn


def check_model(model: Model) -> None:
    """Raise ValueError if a model of this kind cannot be explained."""
    inputs = getattr(model, "inputs", None) or ()
    if len(inputs) > 1:
        raise ValueError(
            "`model` must have one input; received one with "
            f"{[symbol.name for symbol in inputs]}. A model of one of them, which "
            "holds the others as constants, can be explained."
        )
    for layer in layers_from_the_end(model) if hasattr(model, "layers") else ():
        if mode := getattr(layer, "quantization_mode", None):
            raise ValueError(
                "`model` must not be quantized: integers have no derivatives; received "
                f"{layer.name!r} in {mode}."
            )
        if getattr(layer, "data_format", None) == "channels_first":
            raise ValueError(
                "`model` must have the channels on its last axis; received "
                f"{layer.name!r} with data_format='channels_first'."
            )


def warn_of_blanks(maps: np.ndarray) -> None:
    """Warn if maps say nothing."""
    axes = tuple(range(1, maps.ndim - 1))
    if maps.ndim > 2 and (blank := ~maps.any(axis=axes)).any():
        warn(
            f"{blank.sum()} of {blank.size} maps are zero everywhere: either no layer "
            "lets a derivative through (dead ReLUs, a saturated output, integers such "
            "as those an Embedding reads), or `postprocessing` left nothing."
        )
