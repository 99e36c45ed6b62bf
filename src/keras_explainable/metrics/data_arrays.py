"""Inputs and units as NumPy arrays, for metrics that take parts or copies of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.engine.data_iterators import as_numpy, is_stream
from keras_explainable.inspection.logits import logits_model
from keras_explainable.inspection.one_output import first_output_model
from keras_explainable.inspection.top_units import top_count, top_units
from keras_explainable.network import output_units
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.network.model_inputs import shape_text
from keras_explainable.targets.target import as_target
from keras_explainable.types import Model, Tensor

#: The most inputs that go through the model at once, to find its top units.
ROWS = 64


def checked_inputs(x: Any, user: str) -> NDArray[np.float32]:
    """Return inputs (N, ...) as an array.

    Args:
        x: An array, list or tensor.
        user: What needs them, for the error.

    Raises:
        ValueError: If ``x`` is something else.
    """
    if is_stream(x) or isinstance(x, dict):
        raise ValueError(
            f"`x` must be an array (N, ...) for {user}; received {type(x).__name__}."
        )
    inputs = as_numpy(x)
    if inputs.ndim < 2 or not inputs.size:
        raise ValueError(
            f"`x` must be inputs (N, ...); received shape {shape_text(inputs.shape)}."
        )
    return inputs.astype("float32")


def checked_units(model: Model, inputs: NDArray[Any], y: Any, user: str) -> Any:
    """Return the units (N, K) of inputs, None, or a target.

    "predicted" and "top3" become the units that they choose, so that copies and parts
    of the inputs are scored for the same ones.

    Raises:
        ValueError: If ``y`` is a target with data of each image, or units of another
            number of inputs.
    """
    if count := top_count(y):
        return as_numpy(top_units(_outputs(model, inputs), count), "y")
    target = as_target(y, None)
    if target and target.data:
        raise ValueError(
            f"`y` must be units or a target without data for {user}; received a target "
            "with data of each image."
        )
    if y is None or target:
        return y
    units = as_numpy(y, "y")
    if units.ndim not in (1, 2) or len(units) != len(inputs):
        raise ValueError(
            f"`y` must be units (N,) or (N, K) of each of the {len(inputs)} inputs; "
            f"received shape {shape_text(units.shape)}."
        )
    return units


def unit_count(model: Model, inputs: NDArray[Any]) -> int:
    """Return the number of units of the model's first output."""
    return int(_outputs(model, inputs[:1]).shape[-1])


def _outputs(model: Model, inputs: NDArray[Any]) -> Tensor:
    """Return the logits (N, units) of inputs."""
    scores = logits_model(first_output_model(model))
    tensors = as_inputs(scores, inputs)
    return output_units.forward(scores, tensors, min(ROWS, len(inputs)))
