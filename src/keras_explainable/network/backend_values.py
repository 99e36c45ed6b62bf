"""Layers that compute other values on PyTorch than on the other backends."""

from typing import Any

from keras import layers

from keras_explainable.network.layers_of_model import held_layers
from keras_explainable.types import Model

_AVERAGES = (
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
)
_RESIZING = layers.Resizing, layers.UpSampling2D


def layers_with_other_values(model: Model) -> list[str]:
    """Return the names of layers whose values depend on the backend.

    Where ``padding="same"`` needs more zeros on one side than on the other, Keras'
    average pooling repeats the edge on PyTorch, and elsewhere counts inner values only.
    Bicubic resizing has other weights on PyTorch.
    """
    return [layer.name for layer in held_layers(model) if _differs(layer)]


def _differs(layer: Any) -> bool:
    if isinstance(layer, _AVERAGES):
        return layer.padding == "same" and not all(map(_pads_evenly, *_axes(layer)))
    return isinstance(layer, _RESIZING) and layer.interpolation == "bicubic"


def _axes(layer: Any) -> tuple[list[Any], list[int], list[int]]:
    """Return sizes of the inputs, windows and strides, for all axes of all calls."""
    calls = getattr(layer, "_inbound_nodes", ())
    symbols = [symbol for call in calls for symbol in call.input_tensors]
    sizes = [size for symbol in symbols for size in symbol.shape[1:-1]]
    sizes = sizes or [None] * len(layer.pool_size)
    times = len(sizes) // len(layer.pool_size)
    return sizes, [*layer.pool_size] * times, [*layer.strides] * times


def _pads_evenly(size: int | None, window: int, stride: int) -> bool:
    """Return whether padding is even, or the average of a window is the same anyway."""
    if window <= 2:
        return True
    if size is None:
        return False
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total % 2 == 0
