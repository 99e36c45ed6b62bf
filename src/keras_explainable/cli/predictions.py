"""The network's predictions for images."""

import dataclasses
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_explainable import inspection
from keras_explainable.cli.load_model import LoadedModel
from keras_explainable.cli.read_images import Floats
from keras_explainable.network import output_units
from keras_explainable.network.input_tensors import as_inputs
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
    """Return a network's predictions for preprocessed images.

    The scores are the model's own outputs if these are probabilities. Logits of
    several classes are put through a softmax; a single output is shown as it is.
    """
    model = loaded.model
    to_logits = inspection.logits_model(model)
    outputs = _forward(model, inputs, batch_size)
    logits = outputs if to_logits is model else _forward(to_logits, inputs, batch_size)
    are_probabilities = to_logits is not model or _sums_to_one(outputs)
    if not are_probabilities and outputs.shape[1] > 1:
        outputs, are_probabilities = _softmax(logits), True
    return Predictions(logits, outputs, are_probabilities, loaded.classes)


def _forward(model: Any, inputs: Floats, batch_size: int) -> Floats:
    # Not `model.predict`: if that fails on JAX, Keras leaves a model without weights.
    outputs = output_units.forward(model, as_inputs(model, inputs), batch_size)
    return np.asarray(keras.ops.convert_to_numpy(outputs), "float32")


def _sums_to_one(outputs: Floats) -> bool:
    """Return whether a model whose logits are out of reach ends in a softmax."""
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3))


def _softmax(logits: Floats) -> Floats:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.softmax(logits)))
