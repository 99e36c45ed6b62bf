"""The biases of layers: what they add, whatever their inputs are."""

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_explainable.network.layers_of_model import layers_reversed
from keras_explainable.network.operation_kinds import LINEAR, batchnorm_arrays
from keras_explainable.network.time_distributed import frame_axes, operation_on_frames
from keras_explainable.types import Model

NORMALIZATION_LAYERS = layers.BatchNormalization, layers.LayerNormalization


def layers_with_biases(
    model: Model,
    exclude: Iterable[keras.Layer | str] = (),
    return_biases: bool = True,
) -> tuple[list[keras.Layer], list[np.ndarray]] | list[keras.Layer]:
    """Return the layers that add a bias, in the model's order, and their biases.

    Args:
        model: Keras model. Its nested models are searched as well.
        exclude: Layers to leave out, or their names; for example the logits layer.
        return_biases: Whether to return the biases, too.

    Returns:
        The layers, and for each of them its bias as ``biases`` returns it; or the
        layers alone.
    """
    biased = _biased_layers(model, exclude)
    return (biased, biases(biased)) if return_biases else biased


def _biased_layers(
    model: Model, exclude: Iterable[keras.Layer | str] = ()
) -> list[keras.Layer]:
    excluded = [getattr(layer, "name", layer) for layer in exclude]
    found = (layer for layer in layers_reversed(model)[::-1] if has_bias(layer))
    return [layer for layer in found if layer.name not in excluded]


def has_bias(layer: Any) -> bool:
    """Return whether a layer adds a term that does not depend on its input."""
    layer = operation_on_frames(layer)
    if isinstance(layer, layers.BatchNormalization):
        return True
    if isinstance(layer, layers.LayerNormalization):
        return layer.beta is not None
    return isinstance(layer, (*LINEAR, layers.EinsumDense)) and layer.bias is not None


def biases(model_or_layers: Model | Iterable[keras.Layer]) -> list[np.ndarray]:
    """Return the bias of each layer, shape (C,): what it adds to each channel.

    At inference, a batch normalization adds
    ``beta - mean * gamma / sqrt(variance + epsilon)``. A layer normalization adds
    ``beta``, and any other layer its ``bias``.

    Args:
        model_or_layers: Layers that have a bias, or a model, whose layers with a bias
            are taken.
    """
    if isinstance(model_or_layers, keras.Model):
        return biases(_biased_layers(model_or_layers))
    return [_bias(layer) for layer in model_or_layers]


def bias_of_output(layer: keras.Layer, rank: int) -> np.ndarray:
    """Return the bias of a layer in the shape (1, ...), with the axes of its output.

    Args:
        layer: Layer with a bias; a normalization may have it along any axes.
        rank: Number of axes of the output.
    """
    inner, frames = operation_on_frames(layer), frame_axes(layer)
    if isinstance(inner, layers.EinsumDense):  # Its bias has the axes of its output.
        bias = ops.convert_to_numpy(inner.bias)
        return bias.reshape((1,) * (rank - bias.ndim) + bias.shape)
    axes = getattr(inner, "axis", -1) if isinstance(inner, NORMALIZATION_LAYERS) else -1
    axes = axes if isinstance(axes, list | tuple) else [axes]
    places = sorted(frames + axis if axis >= 0 else rank + axis for axis in axes)
    is_norm = isinstance(inner, layers.LayerNormalization)
    bias = ops.convert_to_numpy(inner.beta) if is_norm else _bias(layer)
    shape = dict(zip(places, bias.shape, strict=True))
    return bias.reshape([shape.get(axis, 1) for axis in range(rank)])


def _bias(layer: keras.Layer) -> np.ndarray:
    layer = operation_on_frames(layer)
    if isinstance(layer, layers.BatchNormalization):
        return batchnorm_arrays(layer)[1]
    is_norm = isinstance(layer, layers.LayerNormalization)
    return ops.convert_to_numpy(layer.beta if is_norm else layer.bias).reshape(-1)
