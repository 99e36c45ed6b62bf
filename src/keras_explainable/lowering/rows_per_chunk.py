"""Choose how many rows go through a network at once."""

import math

import keras

from keras_explainable import backend
from keras_explainable.common.host_memory import free_host_memory
from keras_explainable.network.graph import GraphModel
from keras_explainable.types import Model

#: Largest number of rows on an accelerator.
ROWS_ON_ACCELERATOR = 128

#: Largest number of bytes per row of a light network, such as MobileNetV2.
LIGHT_BYTES_PER_ROW = 64 * 2**20

#: Share of the free memory to fill; no more, as the estimate of the need is rough.
MEMORY_SHARE = 0.4


def suitable_rows(network: Model) -> int:
    """Return a number of rows that fits into memory and is close to the fastest.

    On a CPU, small chunks are fastest because they stay in its caches. An accelerator
    is fastest when it is full.
    """
    free, needed = backend.free_memory(), bytes_per_row(network)
    most = _rows_on_cpu(needed) if free is None else ROWS_ON_ACCELERATOR
    free = free_host_memory() if free is None else free
    if not needed or free is None:
        return most
    fitting = max(1, int(MEMORY_SHARE * free / needed))
    return min(most, 2 ** int(math.log2(fitting)))


def _rows_on_cpu(needed: int) -> int:
    light, heavy = backend.ROWS_ON_CPU
    return light if 0 < needed <= LIGHT_BYTES_PER_ROW else heavy


def bytes_per_row(network: Model) -> int:
    """Return roughly the bytes of a row's activations and gradients; 0 if unknown."""
    if not isinstance(network, GraphModel):
        return 0
    written = [step.outputs for step in network.graph.steps]
    shapes = [symbol.shape[1:] for symbol in keras.tree.flatten(written)]
    if any(None in shape for shape in shapes):
        return 0
    return sum(2 * 4 * math.prod(shape) for shape in shapes)
