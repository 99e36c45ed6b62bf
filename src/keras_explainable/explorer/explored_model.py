"""The model and the images of an explorer."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from keras_explainable.engine.class_scores import class_scores
from keras_explainable.plotting.seen_part import WHOLE, SeenPart
from keras_explainable.types import Model

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]


class Scores(NamedTuple):
    """What a model predicts for an image.

    Attributes:
        values: Score of each class (classes,).
        are_probabilities: Whether they are probabilities.
        best: The classes in the order in which they are offered: as a rule, the most
            likely ones first.
    """

    values: Floats
    are_probabilities: bool
    best: NDArray[np.int_]

    @classmethod
    def of(cls, model: Model, inputs: Floats) -> Self:
        """Return what a model predicts for an input (1, H, W, C)."""
        found = class_scores(model, inputs, 1)
        best = np.argsort(-found.logits[0], kind="stable")
        return cls(found.values[0], found.are_probabilities, best)


@dataclass(frozen=True)
class ExploredModel:
    """A model, and what its outputs mean.

    Attributes:
        name: Name to display.
        code: Python expression that loads it.
        model: Keras model.
        classes: Names of the classes.
    """

    name: str
    code: str
    model: Model
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
        id: Number that determines the image's noise, together with the seed.
    """

    name: str
    pixels: Pixels
    inputs: Floats
    picture: Pixels
    seen: SeenPart = WHOLE
    id: int = 0

    @property
    def shown(self) -> Pixels:
        """The part of the picture that the model sees, in the picture's resolution."""
        return self.picture[self.seen.pixels(self.picture.shape[:2])]


class ExploredImages(Protocol):
    """Images by their key, which is their position, with their model."""

    @property
    def model(self) -> ExploredModel:
        """The model that is explored."""

    @property
    def names(self) -> list[str]:
        """The names of all images."""

    def image(self, key: int) -> ExploredImage:
        """Return an image.

        Raises:
            ValueError: If there is none of this key, or it cannot be read.
        """

    def scores(self, key: int) -> Scores:
        """Return what the model predicts for an image."""
