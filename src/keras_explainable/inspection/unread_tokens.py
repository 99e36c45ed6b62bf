"""Say that the tokens of a shown layer change nothing, as after the last attention."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

from keras_explainable.common.structures import Nested, first_of, flatten
from keras_explainable.inspection.exposed_layers import (
    exposed_outputs,
    exposes_for_each_input,
)
from keras_explainable.inspection.shown_layers import shown_layers
from keras_explainable.inspection.token_steps import GridToTokens, TokensToGrid
from keras_explainable.inspection.vanishing_gradients import values_and_gradients
from keras_explainable.network.graph import Graph, GraphModel, Step
from keras_explainable.types import Model


def unread_reason(model: Model, inputs: Nested, unit: int) -> str | None:
    """Return a clause that says which other tokens are read, and a layer to show.

    Args:
        model: Model that was explained.
        inputs: Inputs of one sample, (1, ...).
        unit: Unit whose map is zero.

    Returns:
        The clause, or None if the unit depends on tokens that are shown.
    """
    if not exposes_for_each_input(model):
        return None
    graph, _ = exposed_outputs(model)
    grids = [graph.producer(symbol) for symbol in flatten(graph.outputs)[1:]]
    tokens = [x for x in grids if x and isinstance(x.operation, TokensToGrid)]
    _, gradients = values_and_gradients(graph, inputs, unit)
    unread = [step for step in tokens if _is_unread(step, gradients)]
    return _reason(graph, unread[0].reads[0]) if unread else None


def _is_unread(step: Step, gradients: Any) -> bool:
    """Return whether only tokens that are not on the grid have derivatives."""
    on_grid = gradients.get(id(flatten(step.outputs)[0]))
    whole = gradients.get(id(step.reads[0]))
    known = on_grid is not None and whole is not None
    return bool(known and whole.any() and not on_grid.any())


def _reason(graph: Graph, tokens: Any) -> str:
    producer = graph.producer(tokens)
    name = producer.operation.name if producer else tokens.name
    default = _default_layer(graph)
    hint = "an earlier `layer` may have derivatives"
    if default not in (None, name):
        hint = f"`layer=None` shows {default!r}, which comes earlier"
    return (
        f"all derivatives by the tokens of {name!r} that lie in the image are 0: the "
        "operations after it read only its other tokens, such as a class token. For "
        f"this network, {hint}"
    )


def _default_layer(graph: Graph) -> str | None:
    """Return the layer that is shown if none is named; None if it is not known."""
    alone = replace(graph, outputs=first_of(graph.outputs), exposed=False)
    model = GraphModel(_without_grids(alone).pruned(), "without_exposed_layers")
    with suppress(ValueError):
        return shown_layers(model)[0]
    return None


def _without_grids(graph: Graph) -> Graph:
    """Return the graph in which tokens do not go through their grid."""
    tokens = {
        id(flatten(step.outputs)[0]): step.reads[0]
        for step in graph.steps
        if isinstance(step.operation, GridToTokens)
    }
    return replace(graph, steps=tuple(step.reading(tokens) for step in graph.steps))
