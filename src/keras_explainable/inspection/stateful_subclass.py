"""Subclassed models with stateful layers, which take a fixed number of rows."""

import weakref
from functools import partial
from typing import Any

import keras

from keras_explainable.execution.compilation import invalidate
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.inspection.wrapped_model import WrappedModel
from keras_explainable.network.fixed_batch import run_in_batches
from keras_explainable.network.graph import GraphModel
from keras_explainable.network.layers_of_model import held_layers
from keras_explainable.types import Model

_models = ModelCache(capacity=1, outdated=invalidate)


def run_by_states(model: Model) -> Model:
    """Return a model that takes any number of rows, cached while ``model`` lives.

    A model of no stateful layers, or of known ones, is returned as it is.
    """
    if not isinstance(model, keras.Model) or isinstance(model, GraphModel):
        return model
    rows = _rows_of_states(model)
    if rows is None:
        return model
    make = partial(InBatches, weakref.ref(model), rows)
    return _models.get(model, rows, make, rows)


def _rows_of_states(model: keras.Model) -> int | None:
    """Return for how many rows stateful layers hold states; None if there are none."""
    for layer in held_layers(model):
        states = getattr(layer, "states", None) if _is_stateful(layer) else None
        for state in keras.tree.flatten(states or []):
            return int(state.shape[0])
    return None


def _is_stateful(layer: keras.Layer) -> bool:
    return bool(getattr(layer, "stateful", False))


class InBatches(WrappedModel):
    """Runs a model for exactly as many rows as it needs at a time."""

    def __init__(self, model: "weakref.ref[keras.Model]", rows: int):
        super().__init__(model)
        self.rows = self.required_rows = rows

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the outputs of the model."""
        model = partial(self.model(), training=training)
        return run_in_batches(lambda x, _: model(x), self.rows, inputs, {})
