"""Recipes for layers."""

from collections.abc import Callable
from typing import Any

from keras import layers, ops

from benchmarks.derivatives.recipe import Recipe, Wrapped, layer, of

_IMAGE = (1, 4, 4, 2)


def _cell(cell: Any, states: int) -> Recipe:
    shapes = ((3, 4), *((3, 3),) * states)
    return Recipe(lambda: _with_states(cell(3)), shapes)


def _with_states(cell: Any) -> Callable[..., Any]:
    cell.build((3, 4))
    return Wrapped(cell, lambda x, *states, **mode: cell(x, list(states), **mode))


LAYERS: dict[str, list[Recipe]] = {
    "Activation": [layer(lambda: layers.Activation("relu"), (3, 4))],
    "BatchNormalization": [layer(layers.BatchNormalization, (3, 4))],
    "Bidirectional": [layer(lambda: layers.Bidirectional(layers.GRU(2)), (1, 4, 3))],
    "ConvLSTM1D": [layer(lambda: layers.ConvLSTM1D(2, 2), (1, 2, 4, 2))],
    "ConvLSTM2D": [layer(lambda: layers.ConvLSTM2D(2, 2), (1, 2, 4, 4, 2))],
    "ConvLSTM3D": [layer(lambda: layers.ConvLSTM3D(2, 2), (1, 2, 3, 3, 3, 1))],
    "Cropping3D": [layer(lambda: layers.Cropping3D(1), (1, 4, 4, 4, 2))],
    "Dot": [
        of(lambda x, y: layers.Dot(-1)([x, y]), (3, 4), (3, 4), variant="plain"),
        of(
            lambda x, y: layers.Dot(-1, normalize=True)([x, y]),
            (3, 4),
            (3, 4),
            variant="normalized",
        ),
    ],
    "EinsumDense": [
        layer(lambda: layers.EinsumDense("ab,bc->ac", output_shape=3), (3, 4))
    ],
    "GRUCell": [_cell(layers.GRUCell, 1)],
    "LSTMCell": [_cell(layers.LSTMCell, 2)],
    "SimpleRNNCell": [_cell(layers.SimpleRNNCell, 1)],
    "GroupNormalization": [layer(lambda: layers.GroupNormalization(2), _IMAGE)],
    "GroupQueryAttention": [
        layer(lambda: layers.GroupQueryAttention(2, 2, 1), *((1, 3, 4),) * 2)
    ],
    "MelSpectrogram": [
        layer(lambda: layers.MelSpectrogram(8, 4, num_mel_bins=3), (1, 16))
    ],
    "MultiHeadAttention": [
        layer(lambda: layers.MultiHeadAttention(2, 2), *((1, 3, 4),) * 2)
    ],
    "Lambda": [layer(lambda: layers.Lambda(ops.square), (3, 4))],
    "Permute": [layer(lambda: layers.Permute((2, 1)), (1, 4, 3))],
    "Pipeline": [layer(lambda: layers.Pipeline([layers.ReLU()]), (3, 4))],
    "RNN": [layer(lambda: layers.RNN(layers.LSTMCell(2)), (1, 4, 3))],
    "RandomPosterization": [layer(lambda: layers.RandomPosterization(4), _IMAGE)],
    "ReLU": [
        layer(layers.ReLU, (3, 4), variant="default"),
        layer(lambda: layers.ReLU(6), (3, 4), variant="max_value 6"),
        layer(
            lambda: layers.ReLU(3, 0.1, 1),
            (3, 4),
            variant="max_value, slope, threshold",
        ),
    ],
    "STFTSpectrogram": [
        layer(lambda m=m: layers.STFTSpectrogram(m, 4, 2, 4), (1, 12, 1), variant=m)
        for m in ("log", "magnitude", "psd", "real", "imag", "angle")
    ],
    "SpectralNormalization": [
        layer(lambda: layers.SpectralNormalization(layers.Dense(3)), (3, 4))
    ],
    "StackedRNNCells": [
        layer(
            lambda: layers.RNN(layers.StackedRNNCells([layers.GRUCell(2)])), (1, 4, 3)
        )
    ],
    "TimeDistributed": [
        layer(lambda: layers.TimeDistributed(layers.Dense(2)), (1, 4, 3))
    ],
}
