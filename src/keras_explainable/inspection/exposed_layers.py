"""Models whose inner layers are outputs too, and derivatives by what they output."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, first_of, flatten, row_count
from keras_explainable.inspection.default_layer import default_tensors
from keras_explainable.inspection.find_calls import (
    Endpoint,
    LayerLink,
    last_spatial,
    parse,
    tensors_of,
)
from keras_explainable.inspection.logits import (
    rewritten_model,
    with_logits_of,
    with_resolved_activations,
)
from keras_explainable.inspection.token_grid import NOTHING_GIVEN, GivenGrid
from keras_explainable.inspection.token_steps import with_tokens_on_grids
from keras_explainable.network import output_units
from keras_explainable.network.graph import Graph, GraphModel, Step, ids
from keras_explainable.network.model_inputs import names_in_order, symbolic_inputs
from keras_explainable.network.time_distributed import frame_axes, with_layers_on_frames
from keras_explainable.network.trace_model import inlined_with_calls, trace
from keras_explainable.types import Model, Tensor


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
    return _rewritten(model, _with_exposed, *links)


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
    wanted, kind = parse(layer), ExposedModel if layer else ExposedByDefault
    return _rewritten(model, _with_exposed_calls, wanted, given, kind=kind)


def on_token_grids(model: Model, given: GivenGrid) -> Model:
    """Return an exposed model whose exposed tokens are on their grid."""
    return rewritten_model(model, _with_grids_of_exposed, given, kind=ExposedModel)


def exposes_for_each_input(model: Model) -> bool:
    """Return whether ``expose_for_each_input`` made the model, or that of a copy."""
    return isinstance(model, ExposedModel) or hasattr(model, "original")


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
            f"received {type(model).__name__}."
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
    return rewritten_model(model, _with_units_of, *parse(layer))


def _with_units_of(graph: Graph, layer: LayerLink) -> Graph:
    flat, calls = _with_calls(with_resolved_activations(graph))
    first, *others = keras.tree.flatten(flat.outputs)
    found = tensors_of(calls, layer)[-1]
    if found is first:
        return graph
    flat, logits = with_logits_of(flat, found)
    return replace(flat, outputs=[logits, *others] if others else logits).pruned()


def layer_model(model: Model, layer: Endpoint) -> Model:
    """Return a model of the output of an inner layer, sharing ``model``'s layers.

    Args:
        model: Functional or Sequential Keras model, which is only read.
        layer: Layer, as in ``expose``.

    Raises:
        ValueError: If there is no such layer, it is called several times, or the layers
            of ``model`` are not known.
    """
    return _rewritten(model, _with_layer_output, *parse(layer))


def _with_layer_output(graph: Graph, layer: LayerLink) -> Graph:
    flat, calls = _with_calls(graph)
    found = tensors_of(calls, layer)
    if len(found) > 1:
        name = getattr(layer.layer, "name", layer.layer)
        raise ValueError(
            f"`layer` must be one call of a layer that is called {len(found)} times; "
            f"received {name!r}. The first is {{'name': {name!r}, 'node': 0}}."
        )
    return replace(flat, outputs=found[0]).pruned()


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
    """Return whether there are other outputs, all inner values of the first one."""
    several = len(getattr(model, "outputs", None) or ()) > 1
    if not several or (graph := _own_graph(model)) is None:
        return False
    first, *exposed = keras.tree.flatten(graph.outputs)
    steps = replace(graph, outputs=first).pruned().steps
    inner = {id(first)} | {id(symbol) for step in steps for symbol in step.reads}
    return all(id(symbol) in inner for symbol in exposed)


def exposed_outputs(model: Model) -> tuple[Graph, list[Any]]:
    """Return the graph of an exposed model and the operations that are exposed.

    For a lowered copy, it is the graph that the copy was made from. An exposed input
    has no operation and gives None.
    """
    graph = _own_graph(model)
    if graph is None:
        raise ValueError(
            "`model` must be a Functional or Sequential model to find its layers; "
            f"received {type(model).__name__}."
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
    return [_input_of(graph, tensor) for tensor in exposed]


def _own_graph(model: Model) -> Graph | None:
    """Return the graph of the model before lowering; None if it is not known."""
    for name in ("original", "graph"):
        if isinstance(getattr(model, name, None), Graph):
            return getattr(model, name)
    return trace(model)


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
            f"(`ke.inspection.expose`); received {type(model).__name__}."
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
    if any(None in shape for shape in shapes):
        with backend.state_kept():
            _, *values = keras.tree.flatten(model.run([inputs]))
        shapes = [value.shape for value in values]
    dtypes = [
        symbol.dtype if "float" in symbol.dtype else flatten(inputs)[0].dtype
        for symbol in symbols
    ]
    return [ops.zeros(*each) for each in zip(shapes, dtypes, strict=True)]


def _with_exposed(
    graph: Graph, arguments: tuple[LayerLink, ...], outputs: tuple[LayerLink, ...]
) -> Graph:
    """Return the graph with the last of the calls that each link stands for."""
    flat, calls = _with_calls(with_resolved_activations(graph))
    found = [tensors_of(calls, each)[-1] for each in arguments]
    found = found or default_tensors(flat, calls)[-1:]
    first = [tensors_of(calls, each)[-1] for each in outputs]
    if not first:
        flat, logits = with_logits_of(flat, first_of(flat.outputs))
        first = [logits]
    return replace(flat, outputs=[*first, *found]).pruned()


def _with_exposed_calls(
    graph: Graph, wanted: tuple[LayerLink, ...], given: GivenGrid
) -> Graph:
    """Return the graph with, for each input, the last call whose maps belong to it."""
    flat, calls = _with_calls(graph)
    flat = replace(flat, outputs=first_of(flat.outputs))
    needed = ids([flat.outputs, *(step.reads for step in flat.pruned().steps)])
    chosen: dict[int, Any] = {}
    every = [tensors_of(calls, link) for link in wanted]
    for found in every or _default_of_each(flat, calls):
        found = [tensor for tensor in found if id(tensor) in needed] or found[-1:]
        chosen = {_input_of(flat, tensor): tensor for tensor in found} | chosen
    exposed = [chosen[position] for position in sorted(chosen)]
    flat = replace(flat, outputs=[flat.outputs, *exposed]).pruned()
    return with_tokens_on_grids(
        flat, given, [x for x in exposed if _is_frames(flat, x)]
    )


def _is_frames(graph: Graph, tensor: Any) -> bool:
    """Return whether a tensor has one value for each frame, which needs no grid."""
    producer = graph.producer(tensor)
    return producer is not None and frame_axes(producer.operation) > 0


def _with_grids_of_exposed(graph: Graph, given: GivenGrid) -> Graph:
    _, *exposed = flatten(graph.outputs)
    frames = [x for x in exposed if _is_frames(graph, x)]
    return with_tokens_on_grids(graph, given, frames)


def _default_of_each(graph: Graph, calls: list[Step]) -> list[list[Any]]:
    """Return the tensors to show, and those of inputs on which they do not depend.

    Two towers of layers of their own, for example, have one layer each.
    """
    tensors = default_tensors(graph, calls)
    known = {at for x in tensors for at in graph.inputs_of(x)}
    every = [tensors]
    for position in {*graph.inputs_of(graph.outputs)} - known:
        own = [x for x in calls if position in graph.inputs_of(flatten(x.outputs)[0])]
        shown = [x for x in own if not known & {*graph.inputs_of(x.reads[0])}]
        with suppress(ValueError):  # An input without spatial axes, such as a table.
            every.append(tensors_of(shown, last_spatial(shown, graph.inputs)))
    return every


def _with_calls(graph: Graph) -> tuple[Graph, list[Step]]:
    """Return the graph without nested models or frames, and all calls of layers."""
    return with_layers_on_frames(*inlined_with_calls(graph))


def _input_of(graph: Graph, tensor: Any) -> int:
    """Return the position of the input that the maps of a tensor belong to.

    It is the first one that the tensor depends on and that has as many axes, if any.
    """
    inputs, positions = keras.tree.flatten(graph.inputs), graph.inputs_of(tensor)
    rank = len(tensor.shape)
    alike = [at for at in positions if len(inputs[at].shape) == rank]
    return [*alike, *positions, 0][0]
