"""The values of a network, in float64 where that is possible."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import (
    Nested,
    first_of,
    is_float,
    map_structure,
)
from keras_explainable.inspection.wrapped_model import calls_of, class_name
from keras_explainable.network import output_units
from keras_explainable.network.corrected_derivatives import (
    uncorrected_layers,
    with_corrected_derivatives,
)
from keras_explainable.network.float64_graph import float64_graph
from keras_explainable.network.graph import Graph, GraphModel, Step, symbol_like
from keras_explainable.network.trace_model import inlined, trace
from keras_explainable.types import Model, Tensor

#: Largest difference between outputs in float64 and in float32, relative to their size.
SAME = 1e-3


class ExactGraph:
    """A graph of operations, and the same graph in float64 where that is possible.

    Attributes:
        graph: The operations as they run.
        exact: The same operations in float64, or None.
    """

    def __init__(self, graph: Graph, inputs: Nested):
        """Args: graph; one input in its structure, which shows the dtypes."""
        self.graph, self._like = graph, inputs
        self.exact = float64_graph(graph, inputs)

    def tensors(self, inputs: Nested) -> dict[int, Any]:
        """Return the values that run, by the symbol's ``id``."""
        return self.graph.values(as_tensors(inputs, self._like, exact=False))

    def values(self, inputs: Nested) -> dict[int, np.ndarray]:
        """Return the floats that the operations write, by the symbol's ``id``."""
        tensors = as_tensors(inputs, self._like, self.exact is not None)
        found = (self.exact or self.graph).values(tensors)
        return {key: as_array(x) for key, x in found.items() if is_float(x)}


class ExactNetwork:
    """A network, and the same network in float64.

    On TensorFlow, layers compute in float64 with the weights of the network. A network
    with code that rounds in between, and any network on JAX and PyTorch, where Keras
    rounds sums to float32, computes in its own precision.

    Attributes:
        operations: The operations of the network. If they are not known, the network
            itself is one of them; None for a function, which is no layer.
        name: The class of the network.
    """

    def __init__(self, model: Model, inputs: Nested):
        """Args: network that runs, and one input of it, which shows the dtypes."""
        self._own, self._like, self.name = model, inputs, class_name(model)
        graph = flat_graph(model) or graph_of_calls(model, inputs)
        self.operations = None if graph is None else ExactGraph(graph, [inputs])
        self._exact: GraphModel | None = None
        if self.operations is not None and self.operations.exact is not None:
            own = self.outputs(inputs)
            self._exact = GraphModel(self.operations.exact, "float64")
            with np.errstate(invalid="ignore"):  # They may be no numbers.
                same = np.allclose(self.outputs(inputs), own, 0, SAME * abs(own).max())
            if not same:
                self._exact = self.operations.exact = None

    @property
    def dtype(self) -> str:
        """The precision of the values, "float64" or "float32"."""
        return "float64" if self._exact else "float32"

    @property
    def uncorrected(self) -> list[str]:
        """What keeps the framework's derivatives, as its operations are not known."""
        if self.operations is None:
            return [self.name]
        layers = uncorrected_layers(self.operations.graph)
        return [f"{x.name} ({type(x).__name__})" for x in layers]

    def outputs(self, inputs: Nested) -> np.ndarray:
        """Return the outputs (1, units) for arrays of one input."""
        tensors = as_tensors(inputs, self._like, self._exact is not None)
        return as_array(output_units.forward(self._exact or self._own, tensors, 1))


def flat_graph(model: Model) -> Graph | None:
    """Return the operations of a network, without nested models, if they are known."""
    graph = model.graph if isinstance(model, GraphModel) else trace(model)
    return None if graph is None else with_corrected_derivatives(inlined(graph))


def graph_of_calls(model: Model, inputs: Nested) -> Graph | None:
    """Return a graph of which a subclassed model is one step.

    Args:
        model: Keras model, or one with a target at its end; of a function, the graph is
            None.
        inputs: One input of it.
    """
    if not isinstance(model, keras.Model):
        return None
    reads = symbols = map_structure(symbol_like, inputs)
    steps, values = list[Step](), inputs
    for call in calls_of(model):
        with backend.state_kept():
            values = replace(call, args=(values,)).call()
        outputs = map_structure(symbol_like, values)
        steps.append(replace(call, args=(reads,), outputs=outputs))
        reads = outputs
    return Graph((symbols,), tuple(steps), first_of(reads))


def as_tensors(inputs: Nested, like: Nested, exact: bool) -> Any:
    """Return arrays as tensors of the dtypes of ``like``; floats exactly, if asked."""
    make: Callable[..., Tensor] = partial(_tensor, exact=exact)
    return keras.tree.map_structure(make, inputs, like)


def _tensor(x: Any, like: Tensor, exact: bool) -> Tensor:
    own = keras.backend.standardize_dtype(like.dtype)
    return ops.convert_to_tensor(x, "float64" if exact and is_float(like) else own)


def as_array(x: Tensor) -> np.ndarray:
    """Return a tensor as an array in float64."""
    wide = keras.backend.standardize_dtype(x.dtype) == "float64"
    array = ops.convert_to_numpy(x if wide else ops.cast(x, "float32"))
    return np.asarray(array, "float64")
