"""Models that cannot be explained, and maps that are too many or explain nothing."""

import math
from typing import Any

import numpy as np

from keras_explainable.common.host_memory import free_host_memory
from keras_explainable.common.structures import Nested, flatten, take_rows
from keras_explainable.common.warnings import warn
from keras_explainable.inspection.find_layers import layers_reversed
from keras_explainable.inspection.vanishing_gradients import UNKNOWN, vanishing_reason
from keras_explainable.network.model_inputs import map_shape
from keras_explainable.types import Model

NOTHING_LEFT = (
    "there are derivatives, but the method or `postprocessing` left nothing of them "
    "(a constant map is normalized to 0)"
)

#: Bytes of a value in a map.
WIDTH = 4


def check_model(model: Model) -> None:
    """Raise ValueError if a model of this kind cannot be explained."""
    for layer in layers_reversed(model) if hasattr(model, "layers") else ():
        if mode := getattr(layer, "quantization_mode", None):
            raise ValueError(
                "`model` must not be quantized: integers have no derivatives; received "
                f"{layer.name!r} in {mode}."
            )
        if getattr(layer, "data_format", None) == "channels_first":
            raise ValueError(
                "`model` must have the channels on its last axis; received "
                f"{layer.name!r} with data_format='channels_first'."
            )


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


class ZeroMaps:
    """Maps that are zero everywhere, and why the first of them is."""

    def __init__(self) -> None:
        self.blank, self.maps, self.reason = 0, 0, ""

    def look(self, model: Model, inputs: Nested, indices: Any, maps: Nested) -> None:
        """Count the maps of a batch, which are of ``model``'s units (B, K)."""
        for number, part in enumerate(flatten(maps)):
            if part.ndim < 3:
                continue
            blank = ~part.any(axis=tuple(range(1, part.ndim - 1)))
            if blank.any() and not self.reason:
                row, place = np.argwhere(blank)[0]
                unit = place if indices is None else indices[row, place]
                one = take_rows(inputs, np.array([row]))
                self.reason = _why(model, one, int(unit), number)
            self.maps += blank.size
            self.blank += int(blank.sum())

    def warn(self) -> None:
        """Warn if there were any."""
        if self.blank:
            warn(
                f"{self.blank} of {self.maps} maps are zero everywhere. In the first "
                f"one, {self.reason}."
            )


def _why(model: Model, inputs: Nested, unit: int, number: int) -> str:
    try:
        return vanishing_reason(model, inputs, unit, number) or NOTHING_LEFT
    except Exception:  # The reason is a courtesy: maps are not to be lost for it.
        return UNKNOWN
