"""Make the lowered copy of a model once and keep its weights up to date."""

from functools import partial

import keras

from keras_explainable import backend
from keras_explainable.common import checks
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.lowering.lowered_layers import LoweredLayer
from keras_explainable.lowering.rewrite_graph import simplified, with_lowered_layers
from keras_explainable.lowering.weight_snapshot import Snapshot
from keras_explainable.network.corrected_derivatives import (
    with_corrected_derivatives,
)
from keras_explainable.network.foreign_models import check_is_keras_model
from keras_explainable.network.graph import Graph, GraphModel
from keras_explainable.network.layers_of_model import model_state
from keras_explainable.network.trace_model import trace
from keras_explainable.types import Model

#: Precisions that the lowered copy can compute in.
PRECISIONS = ("float32", "bfloat16")


class LoweredModel(GraphModel):
    """The lowered copy of a model.

    Attributes:
        original: Graph that it was made from, whose steps write the same symbols.
        precision: One of ``PRECISIONS``.
        agrees: Whether its outputs are the original's; None before they are compared.
    """

    def __init__(self, graph: Graph, name: str, precision: str):
        original = with_corrected_derivatives(simplified(graph))
        super().__init__(with_lowered_layers(original, precision), name)
        self.original, self.precision = original, precision
        self.agrees: bool | None = None
        self._snapshot: Snapshot | None = self._take_snapshot()

    def refresh(self) -> None:
        """If the original's weights changed, copy them and discard the comparison."""
        if self._snapshot is None or not self._snapshot.is_current():
            self._snapshot = self.agrees = None  # In case copying is interrupted.
            for copy in self._copies():
                copy.refresh()
            self._snapshot = self._take_snapshot()

    def _copies(self) -> list[LoweredLayer]:
        return [layer for layer in self.layers_used if isinstance(layer, LoweredLayer)]

    def _take_snapshot(self) -> Snapshot:
        return Snapshot([v for copy in self._copies() for v in copy.source.variables])


_cache = ModelCache(capacity=len(PRECISIONS))


def lower(model: Model, precision: str = "float32") -> Model:
    """Return a copy of ``model`` that computes the same outputs faster.

    The copy is flat, without nested models. Batch normalization is folded into the
    convolution or dense layer directly before it, and convolutions take the form that
    is fastest on the backend. All other layers are shared with ``model``, which is only
    read.

    The copy is made once and cached while the model lives. It holds the weights that
    the model has now: call ``lower`` again after changing them, as ``ke.explain`` does.

    Args:
        model: Functional or Sequential Keras model; any other is returned as it is.
        precision: "float32" keeps the precision of each layer; "bfloat16" applies to
            all layers but the last.

    Raises:
        ValueError: If ``precision`` is neither of these.
    """
    checks.one_of("precision", precision, PRECISIONS)
    if not isinstance(model, keras.Model):
        check_is_keras_model(model)
        return model
    make = partial(_make_copy, model, precision)
    with _cache.lock:
        lowered = _cache.get(model, precision, make, model_state(model))
        if lowered is None:
            return model
        lowered.refresh()
        return lowered


def _make_copy(model: Model, precision: str) -> LoweredModel | None:
    graph = trace(model)
    if graph is None:
        return None
    with backend.replica_scope(model):
        return LoweredModel(graph, model.name, precision)
