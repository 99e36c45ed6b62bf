"""What a model predicts, as scores that people read."""

from typing import Any, NamedTuple

import keras
import numpy as np
from numpy.typing import NDArray

from keras_explainable.inspection.logits import logits_model
from keras_explainable.network import output_units
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.types import Model

Floats = NDArray[np.floating[Any]]


class ClassScores(NamedTuple):
    """Scores of every class for a batch of inputs.

    Attributes:
        logits: Logits (N, classes). They rank the classes, for they do not saturate.
        values: Scores to show (N, classes).
        are_probabilities: Whether these are probabilities.
    """

    logits: Floats
    values: Floats
    are_probabilities: bool


def class_scores(model: Model, inputs: Any, batch_size: int) -> ClassScores:
    """Return a model's predictions for a batch of inputs.

    The scores are the model's own outputs if these are probabilities. Logits of
    several classes are put through a softmax; a single output is shown as it is.

    Raises:
        ValueError: If the model has not one output of shape (N, classes).
    """
    to_logits = logits_model(model)
    outputs = _forward(model, inputs, batch_size)
    logits = outputs if to_logits is model else _forward(to_logits, inputs, batch_size)
    are_probabilities = to_logits is not model or _sums_to_one(outputs)
    if not are_probabilities and outputs.shape[1] > 1:
        outputs, are_probabilities = _softmax(logits), True
    return ClassScores(logits, outputs, are_probabilities)


def _forward(model: Any, inputs: Any, batch_size: int) -> Floats:
    # Not `model.predict`: if that fails on JAX, Keras leaves a model without weights.
    outputs = output_units.forward(model, as_inputs(model, inputs), batch_size)
    return np.asarray(keras.ops.convert_to_numpy(outputs), "float32")


def _sums_to_one(outputs: Floats) -> bool:
    """Return whether a model whose logits are out of reach ends in a softmax."""
    return bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3))


def _softmax(logits: Floats) -> Floats:
    return np.asarray(keras.ops.convert_to_numpy(keras.ops.softmax(logits)))
