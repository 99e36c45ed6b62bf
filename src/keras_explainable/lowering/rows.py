"""How many rows go through a network at once."""

import math
import os
from pathlib import Path
from typing import Any

import keras

from keras_explainable import backend
from keras_explainable.graph import GraphModel
from keras_explainable.types import Model

#: On an accelerator: as many as fit, up to so many.
ROWS_ON_ACCELERATOR = 128

#: Share of the free memory to fill, as the estimate is a rough one.
SHARE = 0.4


def suitable_rows(network: Model) -> int:
    """Return a number of rows that fits the memory and is about the fastest.

    More rows are not faster on a CPU, where small chunks stay in its caches; an
    accelerator wants to be filled.
    """
    free = backend.free_memory()
    most = backend.ROWS_ON_CPU if free is None else ROWS_ON_ACCELERATOR
    free = _free_host_memory() if free is None else free
    needed = bytes_per_row(network)
    if not needed or free is None:
        return most
    fitting = max(1, int(SHARE * free / needed))
    return min(most, 2 ** int(math.log2(fitting)))


def bytes_per_row(network: Model) -> int:
    """Return about what a row's activations and their gradients take; 0: unknown."""
    if not isinstance(network, GraphModel):
        return 0
    written = [step.outputs for step in network.graph.steps]
    return sum(2 * _size(symbol) for symbol in keras.tree.flatten(written))


def _size(symbol: Any) -> int:
    if None in symbol.shape[1:]:
        return 0
    return math.prod(symbol.shape[1:]) * 4


def _free_host_memory() -> int | None:
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = meminfo.read_text().splitlines()
        found = [line.split()[1] for line in lines if line.startswith("MemAvailable")]
        if found:
            return int(found[0]) * 1024
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Not on this system.
        return None
