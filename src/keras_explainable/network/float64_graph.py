"""A graph that computes in float64 with the weights of a graph in float32."""

from dataclasses import replace
from typing import Any

import keras
from keras import ops

from keras_explainable.common.structures import Nested, is_float
from keras_explainable.network.graph import Graph, Step, shallow_copy

#: Modules of layers that compute in the precision that they are told to.
_KNOWN = ("keras.", "keras_explainable.")


class _Float64(keras.DTypePolicy):
    """Computing in float64 with variables in float32."""

    @property
    def compute_dtype(self) -> str:
        return "float64"

    @property
    def variable_dtype(self) -> str:
        return "float32"


def float64_graph(graph: Graph, inputs: Nested) -> Graph | None:
    """Return a graph with the same symbols and values that computes in float64.

    Args:
        graph: A graph without nested models.
        inputs: Inputs, in the graph's structure, for which to try it.

    Returns:
        The graph. None if a layer is not known to compute in the precision that it is
        told to, any value is not in float64, or Keras rounds to float32.
    """
    if keras.backend.result_type("float64", "float32") != "float64":
        return None  # On JAX and PyTorch, not even two values in float64 remain so.
    steps = [_copied(step) for step in graph.steps]
    if None in steps:
        return None
    found = replace(graph, steps=tuple(x for x in steps if x is not None))
    try:
        values = found.values(_in_float64(inputs))
    except Exception:  # Whatever an operation raises that takes no float64.
        return None
    floats = [x for x in values.values() if is_float(x)]
    same = all(keras.backend.standardize_dtype(x.dtype) == "float64" for x in floats)
    return found if same else None


def _in_float64(inputs: Nested) -> Any:
    """Return the inputs with floats in float64."""
    return keras.tree.map_structure(
        lambda x: ops.cast(x, "float64") if is_float(x) else x, inputs
    )


def _copied(step: Step) -> Step | None:
    """Return a step in float64, with the framework's own values; None if unknown."""
    if not isinstance(step.operation, keras.Layer):
        return replace(step, implementation=None)
    copy = _copied_layer(step.operation)
    return copy and replace(step, operation=copy, implementation=None)


def _copied_layer(layer: keras.Layer) -> keras.Layer | None:
    if not type(layer).__module__.startswith(_KNOWN) or isinstance(layer, keras.Model):
        return None
    if type(layer.dtype_policy) is not keras.DTypePolicy:
        return None  # A map of policies would be changed; quantized layers differ.
    if layer.compute_dtype != "float32":
        return None
    copy = shallow_copy(layer)
    for name, value in vars(layer).items():
        if isinstance(value, keras.Layer):
            copy.__dict__[name] = _copied_layer(value)
            if copy.__dict__[name] is None:
                return None
    copy.dtype_policy = _Float64("float32")
    return copy
