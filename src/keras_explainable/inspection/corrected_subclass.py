"""Corrected derivatives of subclassed models whose operations Keras can tell."""

import itertools
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

import keras

from keras_explainable.common.structures import Nested, flatten
from keras_explainable.execution.compilation import invalidate
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.inspection.wrapped_model import WrappedModel
from keras_explainable.network.corrected_derivatives import with_corrected_derivatives
from keras_explainable.network.graph import Step
from keras_explainable.network.layers_of_model import model_state
from keras_explainable.network.layers_of_user import is_of_user
from keras_explainable.network.operations_of_call import (
    LastGraph,
    computes_the_same,
    example_operations,
)
from keras_explainable.types import Model

#: Number of inputs up to which it is tried which of them are integers, such as tokens.
TRIED = 3

_models = ModelCache(capacity=1, outdated=invalidate)


def corrected_subclass(model: Model) -> Model:
    """Return a subclassed model with corrected derivatives, cached while it lives.

    Any other model is returned as it is, and so is one that needs no correction or does
    not compute the same if it is given symbols.
    """
    if not isinstance(model, keras.Model) or not is_of_user(model):
        return model
    make = partial(_corrected, model)
    return _models.get(model, None, make, model_state(model)) or model


def _corrected(model: keras.Model) -> "CorrectedModel | None":
    for symbols in _symbolic_inputs(model):
        step = Step(model, (symbols,), {}, None)
        graph = example_operations(step)
        if graph is None:
            continue
        if with_corrected_derivatives(graph) is graph:
            return None
        if computes_the_same(step, graph):
            return CorrectedModel(weakref.ref(model))  # The cache must not hold it.
    return None


def _symbolic_inputs(model: keras.Model) -> Iterator[Nested]:
    """Yield what the inputs may be, of any number of rows.

    Keras keeps their shapes once a model was called, but not their types.
    """
    shapes = (model.get_build_config() or {}).get("input_shape")
    if not model.built or not shapes:
        return
    symbols = _as_symbols(shapes)
    leaves = flatten(symbols)
    others = ("int32",) if len(leaves) <= TRIED else ()
    for types in itertools.product((model.compute_dtype, *others), repeat=len(leaves)):
        pairs = zip(leaves, types, strict=True)
        found = [keras.KerasTensor(x.shape, dtype=dtype) for x, dtype in pairs]
        yield keras.tree.pack_sequence_as(symbols, found)


def _as_symbols(shapes: Any) -> Nested:
    """Return a symbol for each shape in lists and dictionaries."""
    if isinstance(shapes, dict):
        return {name: _as_symbols(x) for name, x in shapes.items()}
    rows, *sizes = shapes
    if isinstance(rows, int | None):
        return keras.KerasTensor((None, *sizes))
    return [_as_symbols(x) for x in shapes]


class CorrectedModel(WrappedModel):
    """Runs the operations of a subclassed model, with corrected derivatives."""

    def __init__(self, model: weakref.ref[keras.Model]):
        """Args: reference to a model whose operations are known."""
        super().__init__(model)
        own = model()
        if own is not None:  # Inputs and variables are cast as in the model.
            self.dtype_policy, self.autocast = own.dtype_policy, own.autocast
            self.supports_masking = own.supports_masking
        graphs = LastGraph(with_corrected_derivatives)
        self.__dict__["_graphs"] = graphs  # Not tracked like an attribute.

    @property
    def calls(self) -> list[Step]:
        """The model, and what runs in its place."""
        return [Step(self.model(), (), {}, None, implementation=self)]

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Return the outputs of the model."""
        masked = any(x is not None for x in flatten(mask))
        # The operations are those without masks.
        graph = None if masked else self._graphs.of(self.model(), (inputs,))
        if graph is None:
            return self.model()(inputs, training=training)
        return graph.run((inputs,))

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Return the mask that the model gives its outputs."""
        return self.model().compute_mask(inputs, previous_mask)
