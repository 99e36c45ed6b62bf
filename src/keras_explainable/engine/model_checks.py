"""Refuse models that cannot be explained."""

from pathlib import PurePath

import keras

from keras_explainable.inspection.find_layers import GLOBAL_POOLING
from keras_explainable.network.foreign_models import check_is_keras_model
from keras_explainable.network.layers_of_model import held_layers
from keras_explainable.types import Model


def check_model(model: Model) -> None:
    """Raise TypeError or ValueError if the model cannot be explained."""
    if isinstance(model, type):
        raise TypeError(
            f"`model` must be a model; received the class {model.__name__}, of which "
            f"`{model.__name__}(...)` makes one."
        )
    if isinstance(model, str | PurePath):
        raise TypeError(
            f"`model` must be a Keras model; received the text {str(model)!r:.60}. A "
            "model in a file is loaded by `keras.models.load_model(path)`."
        )
    if not callable(model):
        raise TypeError(
            "`model` must be a Keras model, or a function like one; received "
            f"{type(model).__name__}."
        )
    owner = getattr(model, "__self__", None)
    if isinstance(owner, keras.Model):
        raise TypeError(
            f"`model` must be the model itself; received its method {model.__name__!r}."
        )
    check_is_keras_model(model)
    for layer in held_layers(model) if hasattr(model, "layers") else ():
        if mode := getattr(layer, "quantization_mode", None):
            raise ValueError(
                "`model` must not be quantized: integers have no derivatives; received "
                f"{layer.name!r} in {mode}."
            )
        # A global pooling may also pool features, as that of a published transformer.
        pools = isinstance(layer, GLOBAL_POOLING)
        if not pools and getattr(layer, "data_format", None) == "channels_first":
            raise ValueError(
                "`model` must have the channels on its last axis; received "
                f"{layer.name!r} with data_format='channels_first'."
            )
