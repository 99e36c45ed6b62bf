"""Images that are given as the arrays that a model takes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.explorer.explored_model import (
    ExploredImage,
    ExploredModel,
    Floats,
    Pixels,
    Scores,
)
from keras_explainable.inspection.model_fingerprint import fingerprint
from keras_explainable.plotting.image_range import as_rgb


class GivenImages:
    """Images by their key, which is their position.

    Their noise is that of ``ke.smoothgrad`` of all of them.

    Args:
        model: Model that explains them.
        inputs: The images (N, H, W, C).
        units: Units (N, K) that are offered before all others.
    """

    def __init__(
        self, model: ExploredModel, inputs: NDArray[Any], units: NDArray[np.int_]
    ):
        self.model, self._inputs, self._units = model, inputs, units
        self._pictures: Pixels = as_rgb(inputs)
        self._scores: dict[tuple[int, str], Scores] = {}

    @property
    def names(self) -> list[str]:
        """The names of all images."""
        return [f"image {key}" for key in range(len(self._inputs))]

    def image(self, key: int) -> ExploredImage:
        """Return an image.

        Raises:
            ValueError: If there is none of this key.
        """
        if not 0 <= key < len(self._inputs):
            raise ValueError(
                f"`image` must be below {len(self._inputs)}, the number of images; "
                f"received {key}."
            )
        inputs: Floats = self._inputs[key : key + 1]
        picture = self._pictures[key]
        return ExploredImage(self.names[key], picture, inputs, picture, id=key)

    def scores(self, key: int) -> Scores:
        """Return what the model predicts for an image, the units of ``y`` first."""
        place = key, fingerprint(self.model.model)  # It may be trained meanwhile.
        if place not in self._scores:
            found = Scores.of(self.model.model, self.image(key).inputs)
            order = dict.fromkeys([*self._units[key].tolist(), *found.best.tolist()])
            self._scores[place] = found._replace(best=np.array([*order]))
        return self._scores[place]
