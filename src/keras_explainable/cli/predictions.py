"""What the network says of images, before it is asked why."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from keras_explainable import inspection
from keras_explainable.cli.load_model import LoadedModel
from keras_explainable.network import output_units
from keras_explainable.network.model_inputs import as_inputs
from keras_explainable.report import Prediction

__all__ = ["Predictions", "predict"]

Floats = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Predictions:
    """Scores of every class for some images.

    Attributes:
        logits: (N, classes); they rank, for they do not saturate.
        scores: (N, classes); they are shown.
        probable: whether the scores are probabilities.
        labels: one for each class.
    """

    logits: Floats
    scores: Floats
    probable: bool
    labels: tuple[str, ...]

    def of(self, number: int, chosen: NDArray[np.int64]) -> tuple[Prediction, ...]:
        """Return the chosen classes of an image."""
        return tuple(
            Prediction(unit, self.labels[unit], score, self.probable)
            for unit, score in zip(
                chosen.tolist(), self.scores[number, chosen].tolist(), strict=True
            )
        )

    def best(self, number: int, count: int) -> tuple[Prediction, ...]:
        """Return the most likely classes of an image, best first."""
        ranked = np.argsort(-self.logits[number], kind="stable")
        return self.of(number, ranked[:count])


def predict(subject: LoadedModel, inputs: Floats, rows: int) -> Predictions:
    """Return what a network says of prepared images, ``rows`` of them at a time.

    The scores are the model's own outputs where they are probabilities. Plain logits
    of several classes are put through a softmax; a single one is shown as it is.
    """
    model = subject.model
    below = inspection.logits_model(model)
    outputs = _forward(model, inputs, rows)
    logits = outputs if below is model else _forward(below, inputs, rows)
    probable = below is not model or _sums_to_one(outputs)
    if not probable and outputs.shape[1] > 1:
        outputs, probable = _softmax(logits), True
    return Predictions(logits, outputs, probable, subject.classes)


def _forward(model: Any, inputs: Floats, rows: int) -> Floats:
    # Not `model.predict`: on JAX, Keras leaves a model without weights if it fails.
    outputs = output_units.forward(model, as_inputs(model, inputs), rows)
    return np.asarray(keras.ops.convert_to_numpy(outputs), "float32")


def _sums_to_one(outputs: Floats) -> bool:
    """Tell whether a model that cannot be taken apart ends in a softmax."""
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3))


def _softmax(logits: Floats) -> Floats:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.softmax(logits)))
