"""Check that a lowered copy computes what the original model computes."""

import keras
import numpy as np
from keras import ops

from keras_explainable.common.warnings import warn
from keras_explainable.execution.compilation import run_once
from keras_explainable.lowering.lowered_model import LoweredModel
from keras_explainable.network import output_units
from keras_explainable.types import Model, Tensor

#: Largest relative difference that rounding may cause, by precision. In bfloat16 it is
#: up to 0.2 for the logits of a trained MobileNet. In float64 Keras' batch
#: normalization is only as accurate as in float32.
TOLERANCES = {"bfloat16": 0.3, "float16": 0.1, "float32": 1e-4, "float64": 1e-6}


def checked_copy(lowered: Model, original: Model, inputs: Tensor, rows: int) -> Model:
    """Return ``lowered`` if its outputs agree with ``original``'s, else ``original``.

    The outputs are compared once and again after each change of the weights. Every call
    that rejects the copy warns and names the first layer that differs.

    Args:
        lowered: Result of ``lower``; a model that was not lowered is not compared.
        original: Model that it was made from.
        inputs: Inputs to compare the outputs for, (B, ...).
        rows: Largest number of inputs in one forward pass.
    """
    if not isinstance(lowered, LoweredModel):
        return original
    if lowered.agrees is None:
        expected = output_units.forward(original, inputs, rows, run_once)
        found = output_units.forward(lowered, inputs, rows)
        lowered.agrees = agree(found, expected, _tolerance(lowered, expected))
    if not lowered.agrees:
        _warn(lowered, inputs)
    return lowered if lowered.agrees else original


def agree(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Return whether the relative difference is at most ``tolerance``."""
    return difference(found, expected) <= tolerance


def difference(found: Tensor, expected: Tensor) -> float:
    """Return the norm of the difference divided by the norm of ``expected``.

    Values agree where both are NaN or the same infinity. If ``expected`` is zero, the
    result is the largest absolute value of ``found``.
    """
    arrays = map(ops.convert_to_numpy, (found, expected))
    found, expected = (array.astype("float64") for array in arrays)
    finite = np.isfinite(expected)
    if not np.array_equal(found[~finite], expected[~finite], equal_nan=True):
        return np.inf
    found, expected = found[finite], expected[finite]
    norm = np.linalg.norm(expected)
    if not norm:
        return np.abs(found).max(initial=0)
    return float(np.linalg.norm(found - expected) / norm)


def _tolerance(lowered: LoweredModel, outputs: Tensor) -> float:
    if lowered.precision != "float32":
        return TOLERANCES[lowered.precision]
    return TOLERANCES[keras.backend.standardize_dtype(outputs.dtype)]


def _warn(lowered: LoweredModel, inputs: Tensor) -> None:
    """Warn that the copy is not used, and name the first layer that differs."""
    original = lowered.original
    expected, again = original.values(inputs), original.values(inputs)
    found = _first_difference(lowered, again, expected)
    if found is not None:
        warn(
            f"Two runs of {lowered.name!r} on the same input differ: the output of "
            f"layer {found[0]!r} by {found[1]:.2g}, as it draws random numbers or has "
            "a state. Each map is that of one run of the model itself."
        )
        return
    found = _first_difference(lowered, lowered.graph.values(inputs), expected)
    name, error = found or (lowered.graph.steps[-1].operation.name, 0.0)
    warn(
        f"The lowered copy of {lowered.name!r} does not compute what the model does: "
        f"the output of layer {name!r} has a relative error of {error:.2g}. The model "
        "itself is explained, which is slower (`lower=False` skips the lowered copy)."
    )


def _first_difference(
    lowered: LoweredModel, found: dict[int, Tensor], expected: dict[int, Tensor]
) -> tuple[str, float] | None:
    """Return the name of the first layer whose output differs, and its error."""
    for step in lowered.graph.steps:
        for symbol in keras.tree.flatten(step.outputs):
            value = expected[id(symbol)]
            error = difference(found[id(symbol)], value)
            if error > _tolerance(lowered, value):
                return step.operation.name, error
    return None
