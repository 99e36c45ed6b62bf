"""Models of a function of the outputs."""

import weakref
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from threading import get_ident
from typing import Any

import keras
import numpy as np

from keras_explainable.common.structures import map_structure
from keras_explainable.execution.function_key import function_key
from keras_explainable.inspection.functions_for_y import (
    asked_keys,
    warn_of_coupled_rows,
)
from keras_explainable.inspection.logits import rewritten_model, targeted_models
from keras_explainable.inspection.target_layer import (
    Target,
    TargetLayer,
    own_errors,
    shapes_of,
)
from keras_explainable.inspection.wrapped_model import (
    WrappedModel,
    calls_of,
)
from keras_explainable.network.graph import Graph, GraphModel, Step, symbol_like
from keras_explainable.network.layers_of_model import model_state
from keras_explainable.network.trace_model import (
    structure_of_only_output,
)
from keras_explainable.types import Model, Tensor


def target_model(model: Model, target: Target) -> Model:
    """Return a model of ``target(outputs)``, sharing ``model``'s layers.

    This explains outputs of other shapes than (B, units) and quantities that are no
    unit of the model: a region of a segmentation, the contrast of two classes, or one
    of several outputs.

    Args:
        model: Keras model, which is only read.
        target: Function of what ``model`` returns, to a tensor (B,) or (B, units). It
            uses ``keras.ops`` or operations of the backend.

    Raises:
        ValueError: If the function fails, or returns something else.

    Example::

        cat = lambda outputs: keras.ops.mean(outputs[..., 3], axis=(1, 2))
        maps = ke.explain(method, ke.inspection.target_model(model, cat), x)
    """
    keyed = _keyed(target, model)
    targeted = _targeted(model, keyed)
    return TargetedModel(lambda: model, keyed.layer) if targeted is model else targeted


def targeted_model(
    model: Model, target: Target, like: Model, data: Sequence[np.ndarray] = ()
) -> Model:
    """Return a model of ``target(outputs, *data)``.

    It is made once for functions that compute the same.

    Args:
        model: Model as in ``target_model``, or a rewritten copy, which returns its only
            output bare.
        target: Function as in ``target_model``, also of data if there is any.
        like: Model that the function was written for.
        data: Arrays (N, ...), of which each sample has a row. The model uses the first
            until ``set_data`` sets another.
    """
    keyed = _keyed(target, like, data)
    targeted = _targeted(model, keyed)
    if targeted is not model:
        return targeted
    if not isinstance(model, keras.Model):
        return TargetedModel(lambda: model, keyed.layer)
    # Made once, too, by a reference, as the cache must not hold the model.
    make = partial(TargetedModel, weakref.ref(model), keyed.layer)
    return targeted_models.get(model, keyed, make, model_state(model))


def _targeted(model: Model, keyed: "_Keyed") -> Model:
    return rewritten_model(model, _with_target, keyed, cache=targeted_models)


@dataclass(frozen=True)
class _Keyed:
    """A layer that counts as equal to another with the same key."""

    key: Hashable
    layer: "TargetLayer" = field(compare=False)


def _keyed(target: Target, like: Model, data: Sequence[np.ndarray] = ()) -> _Keyed:
    structure = structure_of_only_output(like)
    layer = TargetLayer(target, structure, [array[:1] for array in data])
    return _Keyed(_key(layer), layer)


def _key(layer: "TargetLayer") -> Hashable:
    """Return a key, equal for layers that compute the same; unique if that is unknown.

    Each thread sets data of its own, so that it needs a layer of its own.
    """
    key = function_key(layer.target) or object()
    shapes = tuple((tuple(x.shape), x.dtype) for x in layer.data)
    form = repr(map_structure(lambda symbol: None, layer.structure))
    return (key, form, shapes, get_ident() if shapes else 0)


def _with_target(graph: Graph, keyed: _Keyed) -> Graph:
    """Return the graph with the layer at its end.

    It is only given the outputs that the function asks for, so that nothing else is a
    part of the graph.
    """
    layer, outputs = keyed.layer, graph.outputs
    symbol = _output_symbol(layer, outputs)
    if keras.tree.is_nested(outputs):
        keys = asked_keys(partial(layer.value_of, rows=2), outputs)
        outputs = layer.keep(outputs, keys) if len(keys) < len(outputs) else outputs
    step = Step(layer, (outputs,), {}, symbol)
    steps = (*graph.steps, step)
    return replace(graph, steps=steps, outputs=symbol).pruned()


def _output_symbol(layer: "TargetLayer", outputs: Any) -> Any:
    sized = map_structure(symbol_like, outputs)  # Keras takes products for sparse.
    for row in layer.data:
        sized = map_structure(partial(_sized_like, tuple(row.shape)), sized)
    with own_errors(layer, shapes_of(outputs)):  # While tracing, sizes may be made up.
        symbol = layer.compute_output_spec(sized)
        layer.check_symbol(symbol, outputs)
    warn_of_coupled_rows(layer.call, sized)
    return symbol


def _sized_like(row: tuple[int, ...], symbol: Any) -> Any:
    """Return an output with sizes of data (1, ...) at each of its positions."""
    shape = tuple(symbol.shape)
    if len(row) < max(len(shape) - 1, 2):  # It has none, such as a label.
        return symbol
    sizes = zip_longest(shape[1:], row[1 : len(shape)])
    known = [size or other for size, other in sizes]
    return keras.KerasTensor((shape[0], *known), symbol.dtype)


def target_layer(model: Model) -> "TargetLayer":
    """Return the layer at the end of a targeted model."""
    layer: TargetLayer = model.layers_used[-1]
    return layer


def check_no_target(model: Model) -> None:
    """Raise ValueError if the model ends in a target."""
    ours = isinstance(model, GraphModel | WrappedModel) and model.layers_used
    if ours and isinstance(model.layers_used[-1], TargetLayer):
        raise ValueError(
            "`y` must be units for a method that contrasts them with the model's other "
            "units; received a function or target."
        )


def set_data(model: Model, rows: Sequence[np.ndarray]) -> None:
    """Set the data, one row (1, ...) of each array, that a targeted model uses."""
    for variable, row in zip(target_layer(model).data, rows, strict=True):
        variable.assign(row)


class TargetedModel(WrappedModel):
    """A function of the outputs of a model whose layers are not known."""

    @property
    def calls(self) -> list[Step]:
        """The model, and the function of its outputs."""
        return [*calls_of(self.model()), Step(target_layer(self), (), {}, None)]

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Return what the function returns, as (B, units)."""
        return target_layer(self)(self.model()(inputs, training=training))
