"""Making the lowered copy of a model, once, and keeping it up to date."""

from functools import partial

import keras

from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.inspection.logits import structure
from keras_explainable.lowering.lowered_layers import LoweredLayer
from keras_explainable.lowering.rewrite_graph import simplified, with_lowered_layers
from keras_explainable.lowering.weight_snapshot import Snapshot
from keras_explainable.network.graph import Graph, GraphModel
from keras_explainable.network.trace_model import trace
from keras_explainable.types import Model

#: What the network may compute in.
PRECISIONS = ("float32", "bfloat16")


class LoweredModel(GraphModel):
    """The lowered copy of a model.

    Attributes:
        original: the graph it was made from, which writes the same symbols.
        agrees: whether its outputs are the original's; None until they are compared.
    """

    def __init__(self, graph: Graph, name: str, precision: str):
        original = simplified(graph)
        super().__init__(with_lowered_layers(original, precision), name)
        self.original, self.precision = original, precision
        self.agrees: bool | None = None
        self._seen: Snapshot | None = self._snapshot()

    def refresh(self) -> None:
        """LoweredLayer the weights again, and forget the check, if the original's changed."""
        if self._seen is None or not self._seen.is_current():
            self._seen = self.agrees = None  # Should the copying be interrupted.
            for copy in self._copies():
                copy.refresh()
            self._seen = self._snapshot()

    def _copies(self) -> list[LoweredLayer]:
        return [layer for layer in self.layers_used if isinstance(layer, LoweredLayer)]

    def _snapshot(self) -> Snapshot:
        return Snapshot([v for copy in self._copies() for v in copy.source.variables])


_cache = ModelCache(capacity=len(PRECISIONS))


def lower(model: Model, precision: str = "float32") -> Model:
    """Return a copy of ``model`` that computes the same, faster.

    Nested models are laid flat, batch norms are folded into the convolution or dense
    layer directly before them, and convolutions are done in the form that is fastest
    on the backend. Other layers are shared with ``model``, which is only read.

    The copy is made once and kept as long as the model lives. It has the weights of
    the moment: call ``lower`` again after changing them (``ke.explain`` does).

    Args:
        model: a Functional or Sequential Keras model; any other is returned as it is.
        precision: "float32", which leaves each layer its own; or "bfloat16", for all
            layers but the last one.

    Raises:
        ValueError: if ``precision`` is neither.
    """
    if precision not in PRECISIONS:
        raise ValueError(
            f"`precision` must be one of {PRECISIONS}; received {precision!r}."
        )
    if not isinstance(model, keras.Model):
        return model
    make = partial(_lowered, model, precision)
    with _cache.lock:
        lowered = _cache.get(model, precision, make, structure(model))
        if lowered is None:
            return model
        lowered.refresh()
        return lowered


def _lowered(model: Model, precision: str) -> LoweredModel | None:
    graph = trace(model)
    return None if graph is None else LoweredModel(graph, model.name, precision)
