"""Refuse maps that would not fit the memory of the host."""

import math

from keras_explainable.common.host_memory import free_host_memory
from keras_explainable.common.structures import Nested, flatten
from keras_explainable.engine.batch_source import Batch
from keras_explainable.network import output_units
from keras_explainable.network.model_inputs import map_shape
from keras_explainable.types import Model

#: Bytes of one value of a map.
WIDTH = 4


class MapMemory:
    """Refuses maps that cannot fit, around the computation of the first batch."""

    def __init__(self, images: int | None):
        """Args: number of all images; None if it is not known."""
        self._images, self._checked = images, False

    def check_batch(self, batch: Batch, network: Model) -> None:
        """Raise ValueError if the maps of the first batch cannot fit."""
        if self._checked:
            return
        inputs, count = flatten(batch.inputs), output_units.count_units(network) or 1
        if batch.indices is not None:
            count = batch.indices.shape[1]
        images = len(inputs[0])
        values = sum(math.prod(map_shape(x.shape)) for x in inputs)
        _check_memory(images * count * values * WIDTH, images, count)

    def check_all(self, maps: Nested, used: int) -> None:
        """Raise ValueError if the maps of all images, like these, cannot fit."""
        images = self._images
        if not self._checked and images is not None and images > used:
            size = sum(x.nbytes for x in flatten(maps))
            # Twice, because they are joined at the end.
            needed = 2 * size * images // used
            _check_memory(needed, images, flatten(maps)[0].shape[-1])
        self._checked = True


def _check_memory(needed: int, images: int, count: int) -> None:
    free = free_host_memory()
    if free is not None and needed > free:
        raise ValueError(
            "`y` must ask for maps that fit the memory; received "
            f"{_text(images, 'input')} and {_text(count, 'unit')}, whose maps take "
            f"{needed / 2**30:.3g} GiB, while {free / 2**30:.3g} GiB are free. "
            "`y='predicted'` or `y='top3'` asks for fewer units."
        )


def _text(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
