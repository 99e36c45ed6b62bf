"""The model and the images of an explorer."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from keras_explainable.plotting.seen_part import WHOLE, SeenPart
from keras_explainable.types import Model

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]


class Scores(NamedTuple):
    """What a model predicts for an image.

    Attributes:
        values: Score of each class (classes,).
        are_probabilities: Whether they are probabilities.
        best: The classes, the most likely ones first.
    """

    values: Floats
    are_probabilities: bool
    best: NDArray[np.int_]


@dataclass(frozen=True)
class ExploredModel:
    """A model with what it needs and what its outputs mean.

    Attributes:
        name: Name to display.
        code: Python expression that loads it.
        model: Keras model.
        prepare: Preprocessing, from uint8 RGB (N, H, W, 3) to the model's input.
        predict: Function from an input (1, H, W, C) to its scores.
        classes: Names of the classes.
    """

    name: str
    code: str
    model: Model
    prepare: Callable[[Pixels], Floats]
    predict: Callable[[Floats], Scores]
    classes: tuple[str, ...]


@dataclass(frozen=True)
class ExploredImage:
    """An image that was read.

    Attributes:
        name: Name to display.
        pixels: What the model receives, before preprocessing: uint8 RGB (H, W, 3).
        inputs: The same after it, (1, H, W, C).
        picture: The whole picture, uint8 RGB.
        seen: The part of it that ``pixels`` shows.
    """

    name: str
    pixels: Pixels
    inputs: Floats
    picture: Pixels
    seen: SeenPart = WHOLE

    @cached_property
    def id(self) -> int:
        """The number that determines the image's noise, together with the seed."""
        return zlib.crc32(self.pixels.tobytes())

    @property
    def shown(self) -> Pixels:
        """The part of the picture that the model sees, in the picture's resolution."""
        return self.picture[self.seen.pixels(self.picture.shape[:2])]
