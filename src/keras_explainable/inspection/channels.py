"""Models whose inputs have the channels on their last axis."""

from collections.abc import Callable

import keras

from keras_explainable.common.structures import Nested, flatten
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.network.channel_axes import Order
from keras_explainable.network.channels_last import (
    in_order,
    orders_to_channels_last,
    with_channels_last,
)
from keras_explainable.network.input_tensors import as_inputs
from keras_explainable.network.trace_model import trace
from keras_explainable.types import Model


def channels_last_model(model: Model) -> tuple[Model, Callable[[Nested], Nested]]:
    """Return a model of inputs with channels last, and a function that moves them.

    Methods take the last axis of an input for its channels. A model may instead take
    images (C, H, W) and permute them before anything else reads them (``Permute``,
    ``ops.transpose``, ``ops.moveaxis``), or images (H, W) and append an axis of 1. The
    maps of the new model have the shape (H, W).

    Args:
        model: Keras model, which is only read. It is returned as it is if its inputs
            have the channels last, or if its layers are not known.

    Returns:
        The new model, which shares ``model``'s layers, and the function from inputs of
        ``model`` to inputs of the new model.

    Example::

        moved, move = ke.inspection.channels_last_model(model)
        logits, maps = ke.methods.gradient.gradients(moved, move(images))
    """
    moved = rewritten_model(model, with_channels_last)
    orders = [] if moved is model else input_orders(model)  # Tracing takes time.
    if not any(orders):
        return model, lambda inputs: inputs

    def move(inputs: Nested) -> Nested:
        inputs = as_inputs(model, inputs)
        pairs = zip(flatten(inputs), orders, strict=True)
        parts = [x if order is None else in_order(x, order) for x, order in pairs]
        return keras.tree.pack_sequence_as(inputs, parts)

    return moved, move


def input_orders(model: Model) -> list[Order | None]:
    """Return the order of axes with channels last of each input; None if it has it."""
    graph = trace(model) if isinstance(model, keras.Model) else None
    if graph is None:
        return [None] * len(getattr(model, "inputs", None) or [None])
    return orders_to_channels_last(graph)
