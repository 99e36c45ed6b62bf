"""How many rows go through a network at once."""

import math

import keras

from keras_explainable import backend
from keras_explainable.common.host_memory import free_host_memory
from keras_explainable.network.graph import GraphModel
from keras_explainable.types import Model

#: On an accelerator: as many as fit, up to so many.
ROWS_ON_ACCELERATOR = 128

#: Bytes for a row that a light network takes at the most: MobileNetV2 does.
LIGHT = 64 * 2**20

#: Share of the free memory to fill, as the estimate is a rough one.
SHARE = 0.4


def suitable_rows(network: Model) -> int:
    """Return a number of rows that fits the memory and is about the fastest.

    More rows are not faster on a CPU, where small chunks stay in its caches; an
    accelerator wants to be filled.
    """
    free, needed = backend.free_memory(), bytes_per_row(network)
    most = _rows_on_cpu(needed) if free is None else ROWS_ON_ACCELERATOR
    free = free_host_memory() if free is None else free
    if not needed or free is None:
        return most
    fitting = max(1, int(SHARE * free / needed))
    return min(most, 2 ** int(math.log2(fitting)))


def _rows_on_cpu(needed: int) -> int:
    light, heavy = backend.ROWS_ON_CPU
    return light if 0 < needed <= LIGHT else heavy


def bytes_per_row(network: Model) -> int:
    """Return about what a row's activations and their gradients take; 0: unknown."""
    if not isinstance(network, GraphModel):
        return 0
    written = [step.outputs for step in network.graph.steps]
    shapes = [symbol.shape[1:] for symbol in keras.tree.flatten(written)]
    if any(None in shape for shape in shapes):
        return 0
    return sum(2 * 4 * math.prod(shape) for shape in shapes)
