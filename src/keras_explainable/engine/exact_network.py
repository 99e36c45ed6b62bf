"""The values of a network, in float64 where that is possible."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.common.structures import Nested, is_float
from keras_explainable.network import output_units
from keras_explainable.network.corrected_derivatives import with_corrected_derivatives
from keras_explainable.network.float64_graph import float64_graph
from keras_explainable.network.graph import Graph, GraphModel
from keras_explainable.network.trace_model import inlined, trace
from keras_explainable.types import Model, Tensor

#: Largest difference between outputs in float64 and in float32, relative to their size.
SAME = 1e-3


class ExactNetwork:
    """A network, and the same network in float64.

    On TensorFlow, Keras' layers compute in float64 with the weights of the network. A
    network with layers of other origin, which may round in between, and any network on
    JAX and PyTorch, where Keras rounds sums to float32, computes in its own precision.

    Attributes:
        graph: The operations of the network; None if they are not known.
        name: The class of the network.
    """

    def __init__(self, model: Model, inputs: Nested):
        """Args: network that runs, and one input of it, which shows the dtypes."""
        self._own, self._like, self.name = model, inputs, type(model).__name__
        self.graph, self._exact = flat_graph(model), None
        exact = None if self.graph is None else float64_graph(self.graph, [inputs])
        if exact is not None:
            own, self._exact = self.outputs(inputs), GraphModel(exact, "float64")
            if not np.allclose(self.outputs(inputs), own, 0, SAME * abs(own).max()):
                self._exact = None

    @property
    def dtype(self) -> str:
        """The precision of the values, "float64" or "float32"."""
        return "float64" if self._exact else "float32"

    def outputs(self, inputs: Nested) -> np.ndarray:
        """Return the outputs (1, units) for arrays of one input."""
        model = self._exact or self._own
        return as_array(output_units.forward(model, self._tensors(inputs), 1))

    def values(self, inputs: Nested) -> dict[int, np.ndarray]:
        """Return the floats that the operations write, by the symbol's ``id``."""
        graph: Any = self._exact.graph if self._exact else self.graph
        found = graph.values([self._tensors(inputs)])
        return {key: as_array(x) for key, x in found.items() if is_float(x)}

    def _tensors(self, inputs: Nested) -> Any:
        def tensor(x: Any, like: Tensor) -> Tensor:
            own = keras.backend.standardize_dtype(like.dtype)
            exact = self._exact and is_float(like)
            return ops.convert_to_tensor(x, "float64" if exact else own)

        return keras.tree.map_structure(tensor, inputs, self._like)


def flat_graph(model: Model) -> Graph | None:
    """Return the operations of a network, without nested models, if they are known."""
    graph = model.graph if isinstance(model, GraphModel) else trace(model)
    return None if graph is None else with_corrected_derivatives(inlined(graph))


def as_array(x: Tensor) -> np.ndarray:
    """Return a tensor as an array in float64."""
    wide = keras.backend.standardize_dtype(x.dtype) == "float64"
    array = ops.convert_to_numpy(x if wide else ops.cast(x, "float32"))
    return np.asarray(array, "float64")
