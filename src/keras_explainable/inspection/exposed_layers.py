"""Models whose inner layers are outputs too."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras

from keras_explainable.common.structures import Nested, flatten
from keras_explainable.inspection.expose_in_graph import (
    input_of,
    with_exposed,
    with_exposed_calls,
    with_grids_of_exposed,
    with_layer_output,
    with_units_of,
)
from keras_explainable.inspection.find_calls import Endpoint, parse
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.inspection.token_grid import NOTHING_GIVEN, GivenGrid
from keras_explainable.inspection.wrapped_model import class_name
from keras_explainable.network.attention_products import is_softmax
from keras_explainable.network.follow_positions import ATTENTION
from keras_explainable.network.graph import Graph, GraphModel
from keras_explainable.network.model_inputs import names_in_order, symbolic_inputs
from keras_explainable.network.trace_model import trace
from keras_explainable.types import Model


def expose(
    model: Model,
    arguments: int | Endpoint | Sequence[int | Endpoint] | None = None,
    outputs: int | Endpoint | Sequence[int | Endpoint] | None = None,
) -> Model:
    """Return a model with outputs ``[*outputs, *arguments]``, sharing its layers.

    Args:
        model: Functional or Sequential Keras model, which is only read.
        arguments: Layers whose output to expose: objects, names (also of layers within
            nested models), tuples of names such as ("outer", "inner"), positions in
            ``model.layers``, or symbolic tensors that layers output.
            {"name": ..., "link": "input"} exposes a layer's input, and
            {"name": ..., "node": k} the output of its k-th call (0, 1, ... in the order
            in which it was called, "first" or "last"; by default the last). None
            exposes the input of the global pooling, or else the output of the last
            layer with spatial output; of a transformer, whose tokens come after these,
            the input of the first normalization of its last block.
        outputs: Layers whose output comes first, given in the same way; a tuple of
            names stands for several. None is the first output of ``model``, but its
            logits if it ends in a softmax or sigmoid.

    Raises:
        ValueError: If there is no such layer, or the layers of ``model`` are not known.

    Example::

        exposed = ke.inspection.expose(model, "conv5_block3_out")
        logits, maps = ke.gradcam(exposed, x, y)
    """
    first = list(outputs) if isinstance(outputs, tuple) else outputs
    links = [parse(_at_positions(model, each)) for each in (arguments, first)]
    return _rewritten(model, with_exposed, *links)


def _at_positions(model: Model, wanted: Any) -> Any:
    """Return layers in place of their positions in the model."""
    if isinstance(wanted, list):
        return [_at_positions(model, each) for each in wanted]
    if type(wanted) is not int:
        return wanted
    layers = model.layers
    if not -len(layers) <= wanted < len(layers):
        raise ValueError(
            f"The position of a layer must be below {len(layers)}, the number of "
            f"layers; received {wanted}."
        )
    return layers[wanted]


def expose_for_each_input(
    model: Model, layer: Endpoint | None = None, given: GivenGrid = NOTHING_GIVEN
) -> Model:
    """Return a model with outputs ``[output, *values]``: what a layer outputs.

    A layer that is called for several inputs, as in a Siamese network, has a value for
    each of them; see ``values_by_input``. Tokens are put on their grid.

    Args:
        model: Functional or Sequential Keras model, which is only read.
        layer: Layer as in ``expose``.
        given: The grid of the layer's tokens, where the user says it.

    Raises:
        ValueError: As ``expose`` does; or if the layer has tokens whose grid is not
            known, or not that which is given.
    """
    wanted, kind = parse(layer), ExposedByDefault if layer is None else ExposedModel
    return _rewritten(model, with_exposed_calls, wanted, given, kind=kind)


def on_token_grids(model: Model, given: GivenGrid) -> Model:
    """Return an exposed model whose exposed tokens are on their grid."""
    kind = ExposedModel if was_exposed(model) else ExposedByDefault
    return rewritten_model(model, with_grids_of_exposed, given, kind=kind)


def exposes_for_each_input(model: Model) -> bool:
    """Return whether ``expose_for_each_input`` made the model, or that of a copy."""
    lowered = isinstance(getattr(model, "original", None), Graph)
    noisy = isinstance(model, GraphModel) and type(model).run is not GraphModel.run
    return isinstance(model, ExposedModel) or lowered or noisy


class ExposedModel(GraphModel):
    """A model from ``expose_for_each_input``."""


class ExposedByDefault(ExposedModel):
    """One in which the user has not chosen the layer."""


def _rewritten(
    model: Model,
    rewrite: Callable[..., Graph],
    *args: Any,
    kind: type[GraphModel] = GraphModel,
) -> Model:
    exposed = rewritten_model(model, rewrite, *args, kind=kind)
    if exposed is model:
        raise ValueError(
            "`model` must be a Functional or Sequential model to expose inner layers; "
            f"received {class_name(model)}."
        )
    return exposed


def units_of_layer(model: Model, layer: Endpoint) -> Model:
    """Return a model with the units of a layer in place of its first output.

    Args:
        model: Functional or Sequential Keras model, which is only read; other outputs,
            such as exposed layers, stay. It is returned if the output is the layer's.
        layer: Layer, as in ``expose``; of an activation, its logits.

    Raises:
        ValueError: If there is no such layer.
    """
    if exposes_for_each_input(model):
        return model
    return rewritten_model(model, with_units_of, *parse(layer))


def layer_model(model: Model, layer: Endpoint) -> Model:
    """Return a model of the output of an inner layer, sharing ``model``'s layers.

    Args:
        model: Functional or Sequential Keras model, which is only read.
        layer: Layer, as in ``expose``.

    Raises:
        ValueError: If there is no such layer, it is called several times, or the layers
            of ``model`` are not known.
    """
    return _rewritten(model, with_layer_output, *parse(layer))


def endpoints(
    model: Model, wanted: int | Endpoint | Sequence[int | Endpoint] | None = None
) -> list[keras.KerasTensor]:
    """Return the symbolic tensors of layers, which have their shapes and dtypes.

    Args:
        model: Functional or Sequential Keras model, which is only read.
        wanted: Layers, as the ``arguments`` of ``expose``.

    Raises:
        ValueError: If there is no such layer, or the layers of ``model`` are not known.
    """
    return expose(model, wanted).outputs[1:]


def is_exposed(model: Model) -> bool:
    """Return whether the outputs after the first are layers to show.

    The package has exposed them, or the user has: then they are inner values of the
    first output, with spatial axes. Other further outputs, such as an embedding or the
    image itself, are no layers to show.
    """
    several = len(getattr(model, "outputs", None) or ()) > 1
    if not several or (graph := _own_graph(model)) is None:
        return False
    return graph.exposed or _has_layers_to_show(graph)


def was_exposed(model: Model) -> bool:
    """Return whether the package has exposed layers of the model."""
    graph = _own_graph(model)
    return graph is not None and graph.exposed


def _has_layers_to_show(graph: Graph) -> bool:
    first, *others = keras.tree.flatten(graph.outputs)
    inner = replace(graph, outputs=first).pruned().times_read()
    return all(
        id(symbol) in inner
        and {*symbol.shape[1:-1]} - {1}
        and _has_weights(graph, symbol)
        and not _is_scores(graph, symbol)
        for symbol in others
    )


def _has_weights(graph: Graph, symbol: Any) -> bool:
    steps = replace(graph, outputs=symbol).pruned().steps
    return any(getattr(step.operation, "weights", None) for step in steps)


def _is_scores(graph: Graph, symbol: Any) -> bool:
    """Return whether a tensor is the scores of attention, rather than features."""
    step = graph.producer(symbol)
    assert step is not None  # It has weights.
    further = not any(symbol is x for x in flatten(step.outputs)[:1])
    return is_softmax(step) or (further and isinstance(step.operation, ATTENTION))


def exposed_outputs(model: Model) -> tuple[Graph, list[Any]]:
    """Return the graph of an exposed model and the operations that are exposed.

    For a lowered copy, it is the graph that the copy was made from. An exposed input
    has no operation and gives None.
    """
    graph = _own_graph(model)
    if graph is None:
        raise ValueError(
            "`model` must be a Functional or Sequential model to find its layers; "
            f"received {class_name(model)}."
        )
    exposed = keras.tree.flatten(graph.outputs)[1:]
    producers = [graph.producer(symbol) for symbol in exposed]
    return graph, [step and step.operation for step in producers]


def by_input(model: Model, values: list[Any]) -> Nested:
    """Return values, one for each exposed layer, by the input that they belong to.

    A layer belongs to the first input that it depends on and that has as many axes.

    Args:
        model: Model with exposed layers.
        values: Anything, such as the maps of the layers.

    Returns:
        The first value of each input, in the structure of the inputs: a dictionary by
        name if an input has none, and the value itself if only one input has any.
    """
    first = dict(zip(reversed(inputs_of_exposed(model)), reversed(values), strict=True))
    if len(first) == 1:
        return values[0]
    symbols = symbolic_inputs(model)
    if len(first) == len(flatten(symbols)):
        return keras.tree.pack_sequence_as(symbols, [first[k] for k in sorted(first)])
    names = names_in_order(symbols)
    return {names[position]: first[position] for position in sorted(first)}


def inputs_of_exposed(model: Model) -> list[int]:
    """Return the position of the input that each exposed layer belongs to."""
    graph, _ = exposed_outputs(model)
    exposed = keras.tree.flatten(graph.outputs)[1:]
    return [input_of(graph, tensor) for tensor in exposed]


def _own_graph(model: Model) -> Graph | None:
    """Return the graph of the model before lowering; None if it is not known."""
    for name in ("original", "graph"):
        if isinstance(getattr(model, name, None), Graph):
            return getattr(model, name)
    return trace(model)
