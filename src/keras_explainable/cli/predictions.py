"""The network's predictions for images."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from keras_explainable.cli.load_model import LoadedModel
from keras_explainable.cli.read_images import Floats
from keras_explainable.engine.class_scores import class_scores
from keras_explainable.report.explanation_records import Prediction

Units = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Scores of every class for a batch of images.

    Attributes:
        logits: Logits, shape (N, classes). They rank the classes, for they do not
            saturate.
        scores: Scores to show, shape (N, classes).
        are_probabilities: Whether the scores are probabilities.
        labels: One label per class.
    """

    logits: Floats
    scores: Floats
    are_probabilities: bool
    labels: tuple[str, ...]

    def of_units(self, number: int, units: Units) -> tuple[Prediction, ...]:
        """Return the predictions of the given units for image ``number``."""
        scores = self.scores[number, units].tolist()
        return tuple(
            Prediction(unit, self.labels[unit], score, self.are_probabilities)
            for unit, score in zip(units.tolist(), scores, strict=True)
        )

    def top(self, number: int, count: int) -> tuple[Prediction, ...]:
        """Return the most likely classes of image ``number``, best first."""
        ranked = np.argsort(-self.logits[number], kind="stable")
        return self.of_units(number, ranked[:count])


def predict(loaded: LoadedModel, inputs: Floats, batch_size: int) -> Predictions:
    """Return a network's predictions for preprocessed images."""
    return Predictions(*class_scores(loaded.model, inputs, batch_size), loaded.classes)
