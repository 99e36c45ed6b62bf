"""Whether a lowered copy computes what the original does."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.common.warnings import warn
from keras_explainable.lowering.lowered_model import LoweredModel
from keras_explainable.network import output_units
from keras_explainable.types import Model, Tensor

#: Relative differences that rounding may make, by the precision that is computed in:
#: of a trained MobileNet's logits, bfloat16 leaves up to 0.2; Keras' batch norm is only
#: as good as float32 in float64, too.
TOLERANCES = {"bfloat16": 0.3, "float16": 0.1, "float32": 1e-4, "float64": 1e-6}


def checked_copy(lowered: Model, original: Model, inputs: Tensor, rows: int) -> Model:
    """Return ``lowered`` if its outputs agree with ``original``'s, else ``original``.

    Outputs are compared once, for these ``inputs`` (B, ...), at most ``rows`` at a
    time, and again after the weights have changed. Each time that a copy which differs
    by more than rounding is not used, a warning names the layer.
    """
    if not isinstance(lowered, LoweredModel):
        return original
    if lowered.agrees is None:
        expected = output_units.forward(original, inputs, rows)
        lowered.agrees = agree(
            output_units.forward(lowered, inputs, rows),
            expected,
            _tolerance(lowered, expected),
        )
    if not lowered.agrees:
        _warn(lowered, inputs)
    return lowered if lowered.agrees else original


def agree(found: Tensor, expected: Tensor, tolerance: float) -> bool:
    """Whether the difference is at most ``tolerance`` of the root mean square."""
    return difference(found, expected) <= tolerance


def difference(found: Tensor, expected: Tensor) -> float:
    """Return the norm of the difference over the norm of what is expected.

    Where both are infinite or both NaN they agree.
    """
    found, expected = (_float64(x) for x in (found, expected))
    strange = ~np.isfinite(expected)
    if not np.array_equal(found[strange], expected[strange], equal_nan=True):
        return np.inf
    found, expected = found[~strange], expected[~strange]
    size = np.linalg.norm(expected)
    return (
        float(np.linalg.norm(found - expected) / size)
        if size
        else np.abs(found).max(initial=0)
    )


def _tolerance(lowered: LoweredModel, outputs: Tensor) -> float:
    if lowered.precision != "float32":
        return TOLERANCES[lowered.precision]
    return TOLERANCES[keras.backend.standardize_dtype(outputs.dtype)]


def _warn(lowered: LoweredModel, inputs: Tensor) -> None:
    name, found = _first_difference(lowered, inputs)
    warn(
        f"The lowered copy of {lowered.name!r} does not compute what the model does: "
        f"the output of layer {name!r} differs by {found:.2g} of its size. The model "
        "itself is explained, which is slower (`lower=False` does so without trying)."
    )


def _first_difference(lowered: LoweredModel, inputs: Tensor) -> tuple[str, float]:
    """Return the name of the first layer that differs, and by how much."""
    expected, found = (
        graph.values(inputs) for graph in (lowered.original, lowered.graph)
    )
    for step in lowered.graph.steps:
        for symbol in keras.tree.flatten(step.outputs):
            value = expected[id(symbol)]
            off = difference(found[id(symbol)], value)
            if off > _tolerance(lowered, value):
                return step.operation.name, off
    return lowered.graph.steps[-1].operation.name, off


def _float64(x: Any) -> np.ndarray:
    return ops.convert_to_numpy(x).astype("float64")
