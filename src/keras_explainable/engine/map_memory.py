"""Whether the maps that are asked for fit the memory of the host."""

import math

from keras_explainable.common.host_memory import free_host_memory
from keras_explainable.common.structures import Nested, flatten
from keras_explainable.network.model_inputs import map_shape

#: Bytes of a value in a map.
WIDTH = 4


def check_batch(inputs: Nested, count: int) -> None:
    """Raise ValueError if the maps of ``count`` units of a batch cannot fit."""
    images = len(flatten(inputs)[0])
    values = sum(math.prod(map_shape(x.shape)) for x in flatten(inputs))
    _check_memory(images * count * values * WIDTH, images, count)


def check_all(maps: Nested, used: int, images: int | None) -> None:
    """Raise ValueError if the maps of all images cannot fit, with those of ``used``."""
    if images is not None and images > used:
        size = sum(x.nbytes for x in flatten(maps))
        # Twice, as they are joined in the end.
        needed = 2 * size * images // used
        _check_memory(needed, images, flatten(maps)[0].shape[-1])


def _check_memory(needed: int, images: int, count: int) -> None:
    free = free_host_memory()
    if free is not None and needed > free:
        raise ValueError(
            "`y` must ask for maps that fit the memory; received "
            f"{_text(images, 'input')} and {_text(count, 'unit')}, of which the maps "
            f"take {needed / 2**30:.3g} GiB, where {free / 2**30:.3g} GiB are free. "
            "`y='predicted'` or `y='top3'` asks for fewer units."
        )


def _text(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
