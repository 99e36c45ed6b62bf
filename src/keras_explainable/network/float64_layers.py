"""Copies of layers that compute in float64 with the variables of the originals."""

from dataclasses import replace
from typing import Any

import keras

from keras_explainable.network.graph import Graph, GraphModel, Step, shallow_copy
from keras_explainable.network.trace_model import inlined, trace


class NoFloat64Error(Exception):
    """A layer is quantized, or has another precision than float32."""


class _Float64(keras.DTypePolicy):
    """Computing in float64 with variables in float32."""

    @property
    def compute_dtype(self) -> str:
        return "float64"

    @property
    def variable_dtype(self) -> str:
        return "float32"


class Float64Layers:
    """Copies of layers, with copies of the layers inside. Each layer is copied once.

    Keras casts what a layer is given, and the variables that it reads, to float64. The
    code of the layer may still round to float32.
    """

    def __init__(self) -> None:
        self._copies: dict[int, keras.Layer] = {}

    def step(self, step: Step) -> Step:
        """Return a step in float64, with the framework's own derivatives."""
        operation = step.operation
        if isinstance(operation, keras.Layer):
            operation = self._copied(operation)
        return replace(step, operation=operation, implementation=None)

    def graph(self, graph: Graph) -> Graph:
        """Return a graph of copies.

        Raises:
            NoFloat64Error: If a layer cannot be copied.
        """
        return replace(graph, steps=tuple(map(self.step, graph.steps)))

    def _copied(self, layer: keras.Layer) -> keras.Layer:
        if id(layer) not in self._copies:
            graph = trace(layer) if isinstance(layer, keras.Model) else None
            if graph is not None:
                copy = GraphModel(self.graph(inlined(graph)), layer.name)
                self._copies[id(layer)] = copy
            else:
                self._copy(layer)
        return self._copies[id(layer)]

    def _copy(self, layer: keras.Layer) -> None:
        policy = layer.dtype_policy
        # A map of policies would be changed; quantized layers differ.
        if type(policy) is not keras.DTypePolicy or policy.compute_dtype != "float32":
            raise NoFloat64Error
        copy = self._copies[id(layer)] = shallow_copy(layer)  # It may hold itself.
        for name, value in vars(layer).items():
            copy.__dict__[name] = self._with_copies(value)
        copy.dtype_policy = _Float64("float32")

    def _with_copies(self, value: Any) -> Any:
        """Return an attribute of a layer with copies of the layers in it."""
        if isinstance(value, keras.Layer):
            return self._copied(value)
        if isinstance(value, dict):
            found = {key: self._with_copies(x) for key, x in value.items()}
            same = all(x is value[key] for key, x in found.items())
            return value if same else found
        if isinstance(value, list | tuple):
            copies = [self._with_copies(x) for x in value]
            same = all(a is b for a, b in zip(copies, value, strict=True))
            return value if same else type(value)(copies)
        return value
