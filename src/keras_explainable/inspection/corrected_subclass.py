"""Corrected derivatives of subclassed models whose operations Keras can tell."""

import weakref
from functools import partial
from typing import Any

import keras

from keras_explainable.execution.compilation import invalidate
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.inspection.wrapped_model import WrappedModel
from keras_explainable.network.corrected_derivatives import with_corrected_derivatives
from keras_explainable.network.graph import Step
from keras_explainable.network.layers_of_model import model_state
from keras_explainable.network.operations_of_call import (
    LastGraph,
    computes_the_same,
    example_operations,
    is_own_layer,
)
from keras_explainable.types import Model

_models = ModelCache(capacity=1, outdated=invalidate)


def corrected_subclass(model: Model) -> Model:
    """Return a subclassed model with corrected derivatives, cached while it lives.

    Any other model is returned as it is, and so is one that needs no correction or does
    not compute the same if it is given symbols.
    """
    if not isinstance(model, keras.Model) or not is_own_layer(model):
        return model
    make = partial(_corrected, model)
    return _models.get(model, None, make, model_state(model)) or model


def _corrected(model: keras.Model) -> "CorrectedModel | None":
    symbol = _symbolic_input(model)
    if symbol is None:
        return None
    step = Step(model, (symbol,), {}, None)
    graph = example_operations(step)
    if graph is None or with_corrected_derivatives(graph) is graph:
        return None
    if not computes_the_same(step, graph):
        return None
    return CorrectedModel(weakref.ref(model))  # The cache must not hold the model.


def _symbolic_input(model: keras.Model) -> keras.KerasTensor | None:
    """Return the only input, of any number of rows; None if it is not known."""
    shape = (model.get_build_config() or {}).get("input_shape") if model.built else None
    if not isinstance(shape, list | tuple) or len(shape) < 2:
        return None
    if not all(isinstance(size, int) for size in shape[1:]):
        return None
    return keras.KerasTensor((None, *shape[1:]), dtype=model.compute_dtype)


class CorrectedModel(WrappedModel):
    """Runs the operations of a subclassed model, with corrected derivatives."""

    def __init__(self, model: weakref.ref[keras.Model]):
        """Args: reference to a model whose operations are known."""
        super().__init__(model)
        graphs = LastGraph(with_corrected_derivatives)
        self.__dict__["_graphs"] = graphs  # Not tracked like an attribute.

    @property
    def calls(self) -> list[Step]:
        """The model, and what runs in its place."""
        return [Step(self.model(), (), {}, None, implementation=self)]

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the outputs of the model."""
        graph = self._graphs.of(self.model(), (inputs,))
        if graph is None:
            return self.model()(inputs, training=training)
        return graph.run((inputs,))
