"""The package's own derivatives of a call, where it corrects the framework's."""

from collections.abc import Callable
from typing import Any

import keras

from benchmarks.derivatives.calls import Call
from keras_explainable.network.corrected_derivatives import with_corrected_derivatives
from keras_explainable.network.trace_model import trace


def corrected_function(call: Call) -> Callable[..., Any] | None:
    """Return the call as a model with corrected derivatives; None if it needs none.

    It is None, too, for what no model can contain.
    """
    try:
        graph = trace(_model(call))
    except Exception:
        return None
    if graph is None or (corrected := with_corrected_derivatives(graph)) is graph:
        return None
    return lambda *tensors: corrected.run(
        list(tensors) if len(tensors) > 1 else tensors
    )


def _model(call: Call) -> keras.Model:
    """Return a Functional model of the one operation."""
    inputs = [keras.Input(batch_shape=shape, dtype=call.dtype) for shape in call.shapes]
    return keras.Model(inputs, call.floats(*inputs))
