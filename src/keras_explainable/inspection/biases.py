"""What layers add to what they compute from their inputs."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable.inspection.find_layers import layers_reversed
from keras_explainable.network.operation_kinds import LINEAR, batchnorm_arrays
from keras_explainable.types import Model


def layers_with_biases(
    model: Model, exclude: Iterable[keras.Layer | str] = ()
) -> tuple[list[keras.Layer], list[np.ndarray]]:
    """Return the layers that add a bias, also of nested models, and their biases.

    They come in the order of the model; the biases are those of ``biases``.

    Args:
        model: Keras model.
        exclude: layers, or their names, to leave out; such as that of the logits.
    """
    out = [getattr(layer, "name", layer) for layer in exclude]
    found = (layer for layer in layers_reversed(model)[::-1] if has_bias(layer))
    kept = [layer for layer in found if layer.name not in out]
    return kept, biases(kept)


def has_bias(layer: Any) -> bool:
    """Whether a layer adds something that does not depend on its input."""
    if isinstance(layer, layers.BatchNormalization):
        return True
    if isinstance(layer, layers.LayerNormalization):
        return layer.beta is not None
    return isinstance(layer, LINEAR) and layer.bias is not None


def biases(model_or_layers: Model | Iterable[keras.Layer]) -> list[np.ndarray]:
    """Return what layers add to each channel, (C,) for each layer.

    A batch norm adds ``beta - mean * gamma / sqrt(variance + epsilon)`` at inference,
    with its own epsilon; a layer norm adds ``beta``; others their ``bias``.

    Args:
        model_or_layers: layers with biases; or a model, for all that it has.
    """
    if isinstance(model_or_layers, keras.Model):
        return layers_with_biases(model_or_layers)[1]
    return [_bias_of(layer) for layer in model_or_layers]


def _bias_of(layer: keras.Layer) -> np.ndarray:
    if isinstance(layer, layers.BatchNormalization):
        return batchnorm_arrays(layer)[1]
    is_norm = isinstance(layer, layers.LayerNormalization)
    return ops.convert_to_numpy(layer.beta if is_norm else layer.bias).reshape(-1)
