"""A graph that computes in float64 with the weights of a graph in float32."""

from typing import Any

import keras
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, is_float
from keras_explainable.network.float64_layers import Float64Layers
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.layers_of_user import calls_code_of_user
from keras_explainable.types import Tensor


def float64_graph(graph: Graph, inputs: Nested) -> Graph | None:
    """Return a graph with the same symbols and values that computes in float64.

    Args:
        graph: A graph without nested models.
        inputs: Inputs, in the graph's structure, for which to try it.

    Returns:
        The graph. None if any value is not in float64, Keras rounds to float32, or the
        code of the user's rounds, or cannot be looked into.
    """
    if keras.backend.result_type("float64", "float32") != "float64":
        return None  # On JAX and PyTorch, not even two values in float64 remain so.
    try:
        found = Float64Layers().graph(graph)
        values = found.values(_in_float64(inputs))
        rounds = any(_rounds(step, values) for step in found.steps)
    except Exception:  # Whatever an operation raises that takes no float64.
        return None
    floats = [x for x in values.values() if is_float(x)]
    same = all(keras.backend.standardize_dtype(x.dtype) == "float64" for x in floats)
    return found if same and not rounds else None


def _in_float64(inputs: Nested) -> Any:
    """Return the inputs with floats in float64."""
    return keras.tree.map_structure(
        lambda x: ops.cast(x, "float64") if is_float(x) else x, inputs
    )


def _rounds(step: Step, values: dict[int, Any]) -> bool:
    """Return whether code of the user's rounds in between."""
    if not isinstance(step.operation, keras.Layer):
        return False
    if not calls_code_of_user(step.operation):
        return False  # Layers of Keras' compute in the precision that they are told to.
    reads = {id(x): values[id(x)] for x in step.reads}

    def run(*read: Tensor) -> list[Tensor]:
        return [*step.run(dict(zip(reads, read, strict=True))).values()]

    return bool(backend.rounds(run, [*reads.values()]))
