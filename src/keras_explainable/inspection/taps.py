"""Derivatives by what exposed layers output."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten, row_count
from keras_explainable.inspection.exposed_layers import is_exposed
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.inspection.wrapped_model import class_name
from keras_explainable.network import output_units
from keras_explainable.network.graph import GraphModel
from keras_explainable.network.layers_of_model import held_layers
from keras_explainable.types import Model, Tensor

Run = Callable[[Nested, list[Tensor]], tuple[Tensor, list[Tensor]]]


def with_taps(model: Model, inputs: Nested) -> tuple[Run, list[Tensor]]:
    """Return a function to differentiate by exposed values, and zeros to call it with.

    Args:
        model: Model with exposed layers.
        inputs: Inputs of the model, (B, ...).

    Returns:
        ``run(inputs, taps)`` and ``taps`` of zeros. ``run`` adds each tap to the
        exposed value of the same position and returns the outputs (B, units) and the
        exposed values. On every backend, the derivatives by the taps are the
        derivatives by these values.

    Raises:
        ValueError: If nothing is exposed, or the model's layers are not known.
    """
    if not isinstance(model, GraphModel):
        model = rewritten_model(model, replace)  # The same graph, as a model.
    if not (isinstance(model, GraphModel) and is_exposed(model)):
        raise ValueError(
            "`model` must be Functional or Sequential and have inner layers exposed "
            f"(`ke.inspection.expose`); received {class_name(model)}."
        )
    symbols = model.outputs[1:]

    def run(inputs: Nested, taps: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        by_symbol: dict[int, Tensor] = {}
        for symbol, tap in zip(symbols, taps, strict=True):  # May be exposed twice.
            by_symbol[id(symbol)] = by_symbol.get(id(symbol), 0) + tap
        outputs, *values = keras.tree.flatten(model.run([inputs], by_symbol))
        return output_units.as_units(outputs, inputs), values

    return run, _zero_taps(model, symbols, inputs)


def _zero_taps(model: GraphModel, symbols: list[Any], inputs: Nested) -> list[Tensor]:
    shapes = [(row_count(inputs), *symbol.shape[1:]) for symbol in symbols]
    if any(None in shape for shape in shapes) or _has_other_shapes(model):
        with backend.state_kept():
            _, *values = keras.tree.flatten(model.run([inputs]))
        shapes = [value.shape for value in values]
    dtypes = [
        symbol.dtype if "float" in symbol.dtype else flatten(inputs)[0].dtype
        for symbol in symbols
    ]
    return [ops.zeros(*each) for each in zip(shapes, dtypes, strict=True)]


def _has_other_shapes(model: GraphModel) -> bool:
    """Return whether a layer outputs another shape than its symbolic tensor has.

    Keras' RandomCrop does not crop at inference.
    """
    operations = [step.operation for step in model.graph.steps]
    held = [held_layers(x) for x in operations if isinstance(x, keras.Layer)]
    every = [*operations, *(layer for each in held for layer in each)]
    return any(isinstance(each, keras.layers.RandomCrop) for each in every)
