"""Graphs whose inner tensors are outputs too, found by the layers that compute them."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import keras

from keras_explainable.common.structures import first_of, flatten
from keras_explainable.common.warnings import warn
from keras_explainable.inspection.default_layer import default_tensors
from keras_explainable.inspection.find_calls import LayerLink, last_spatial, tensors_of
from keras_explainable.inspection.logits import (
    with_logits_of,
    with_resolved_activations,
)
from keras_explainable.inspection.token_grid import GivenGrid
from keras_explainable.inspection.token_steps import with_tokens_on_grids
from keras_explainable.network.graph import Graph, Step, ids
from keras_explainable.network.rows_of_steps import check_rows
from keras_explainable.network.time_distributed import frame_axes, with_layers_on_frames
from keras_explainable.network.trace_model import inlined_with_calls


def with_exposed(
    graph: Graph, arguments: tuple[LayerLink, ...], outputs: tuple[LayerLink, ...]
) -> Graph:
    """Return the graph with the last of the calls that each link stands for."""
    flat, calls = _with_calls(with_resolved_activations(graph))
    found = [tensors_of(calls, each)[-1] for each in arguments]
    first = [tensors_of(calls, each)[-1] for each in outputs]
    if not found:
        ends = replace(flat, outputs=first or first_of(flat.outputs))
        found = default_tensors(*_explained(ends, calls))[-1:]
    if not first:
        flat, logits = with_logits_of(flat, first_of(flat.outputs))
        first = [logits]
    return replace(flat, outputs=[*first, *found], exposed=True).pruned()


def with_exposed_calls(
    graph: Graph, wanted: tuple[LayerLink, ...], given: GivenGrid
) -> Graph:
    """Return the graph with, for each input, the last call whose maps belong to it."""
    flat, calls = _with_calls(graph)
    flat = replace(flat, outputs=first_of(flat.outputs))
    needed = ids([flat.outputs, *(step.reads for step in flat.pruned().steps)])
    chosen: dict[int, Any] = {}
    every = [tensors_of(calls, link) for link in wanted]
    for found in every or _default_of_each(*_explained(flat, calls)):
        found = [tensor for tensor in found if id(tensor) in needed] or found[-1:]
        shown = {input_of(flat, tensor): tensor for tensor in found}
        for position, last in shown.items():
            same = [x for x in found if input_of(flat, x) == position]
            _warn_of_calls_beside(flat, same, last)
        chosen = shown | chosen
    exposed = [chosen[position] for position in sorted(chosen)]
    check_rows(flat, exposed)
    outputs = [flat.outputs, *exposed]
    flat = replace(flat, outputs=outputs, exposed=True).pruned()
    return with_tokens_on_grids(
        flat, given, [x for x in exposed if _is_frames(flat, x)]
    )


def _warn_of_calls_beside(graph: Graph, calls: list[Any], last: Any) -> None:
    """Warn if a layer's last call for an input does not depend on the others."""
    beside = [x for x in calls if x is not last and not graph.between(x, last)]
    if beside:
        producer = graph.producer(last)
        name = producer.operation.name if producer else last.name
        warn(
            f"The layer {name!r} is called {len(calls)} times for one input, and the "
            "map shows the last call only. "
            f"`layer={{'name': {name!r}, 'node': 0}}` shows the first."
        )


def _is_frames(graph: Graph, tensor: Any) -> bool:
    """Return whether a tensor has one value for each frame, which needs no grid."""
    producer = graph.producer(tensor)
    return producer is not None and frame_axes(producer.operation) > 0


def with_grids_of_exposed(graph: Graph, given: GivenGrid) -> Graph:
    """Return a graph with exposed tensors whose tokens are on their grid."""
    _, *exposed = flatten(graph.outputs)
    frames = [x for x in exposed if _is_frames(graph, x)]
    return with_tokens_on_grids(replace(graph, exposed=True), given, frames)


def _explained(graph: Graph, calls: list[Step]) -> tuple[Graph, list[Step]]:
    """Return the part of a graph that its outputs depend on, and the calls in it."""
    part = graph.pruned()
    needed = ids([part.outputs, *(step.reads for step in part.steps)])
    return part, [each for each in calls if needed & ids(each.outputs)]


def _default_of_each(graph: Graph, calls: list[Step]) -> list[list[Any]]:
    """Return the tensors to show, and those of inputs on which they do not depend.

    Two towers of layers of their own, for example, have one layer each.
    """
    tensors = default_tensors(graph, calls)
    known, needed = (
        {at for x in each for at in graph.inputs_of(x)}
        for each in (tensors, flatten(graph.outputs))
    )
    every = [tensors]
    for position in needed - known:
        own = [x for x in calls if position in graph.inputs_of(flatten(x.outputs)[0])]
        shown = [x for x in own if not known & {*graph.inputs_of(x.reads[0])}]
        with suppress(ValueError):  # An input without spatial axes, such as a table.
            every.append(tensors_of(shown, last_spatial(shown, graph.inputs)))
    return every


def _with_calls(graph: Graph) -> tuple[Graph, list[Step]]:
    """Return the graph without nested models or frames, and all calls of layers."""
    return with_layers_on_frames(*inlined_with_calls(graph))


def input_of(graph: Graph, tensor: Any) -> int:
    """Return the position of the input that the maps of a tensor belong to.

    It is the first one that the tensor depends on and that has as many axes, if any.
    """
    inputs, positions = keras.tree.flatten(graph.inputs), graph.inputs_of(tensor)
    rank = len(tensor.shape)
    alike = [at for at in positions if len(inputs[at].shape) == rank]
    return [*alike, *positions, 0][0]


def with_units_of(graph: Graph, layer: LayerLink) -> Graph:
    """Return the graph with the units of a layer, or their logits, as first output."""
    flat, calls = _with_calls(with_resolved_activations(graph))
    first, *others = keras.tree.flatten(flat.outputs)
    found = tensors_of(calls, layer)[-1]
    if found is first:
        return graph
    flat, logits = with_logits_of(flat, found)
    return replace(flat, outputs=[logits, *others] if others else logits).pruned()


def with_layer_output(graph: Graph, layer: LayerLink) -> Graph:
    """Return the graph whose only output is that of the only call of a layer."""
    flat, calls = _with_calls(graph)
    found = tensors_of(calls, layer)
    if len(found) > 1:
        name = getattr(layer.layer, "name", layer.layer)
        raise ValueError(
            f"`layer` must be one call of a layer that is called {len(found)} times; "
            f"received {name!r}. The first is {{'name': {name!r}, 'node': 0}}."
        )
    return replace(flat, outputs=found[0]).pruned()
