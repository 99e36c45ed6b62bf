"""The names of the layers that class activation maps show."""

from keras_explainable.common.structures import flatten
from keras_explainable.inspection.channels import channels_last_model
from keras_explainable.inspection.embeddings import embedded_model
from keras_explainable.inspection.exposed_layers import (
    expose_for_each_input,
    exposed_outputs,
    is_exposed,
)
from keras_explainable.inspection.find_calls import Endpoint
from keras_explainable.inspection.one_output import first_output_model
from keras_explainable.inspection.token_grid import GivenGrid
from keras_explainable.inspection.token_steps import TokensToGrid
from keras_explainable.network.graph import Graph
from keras_explainable.types import Model


def shown_layers(
    model: Model,
    layer: Endpoint | None = None,
    *,
    grid: tuple[int, ...] | None = None,
    skip_tokens: int | tuple[int, int] | None = None,
) -> list[str]:
    """Return the names of the layers whose output ``ke.gradcam`` and others show.

    It is one for each input that has maps of its own, usually a single one.

    Args:
        model: Functional or Sequential Keras model, which is only read.
        layer: As for ``ke.gradcam``; None returns the layers that it chooses.
        grid: As for ``ke.gradcam``.
        skip_tokens: As for ``ke.gradcam``.

    Raises:
        ValueError: As ``ke.gradcam`` does.

    Example::

        ke.inspection.shown_layers(keras.applications.VGG16())  # ["block5_pool"]
    """
    if layer is not None or not is_exposed(model):
        given = GivenGrid.of(grid, skip_tokens)
        first = first_output_model(model) if layer is None else model
        moved, _ = channels_last_model(first)
        model, _ = embedded_model(moved, own_layers=False)
        model = expose_for_each_input(model, layer, given)
    graph, _ = exposed_outputs(model)
    return [_layer_of(graph, symbol) for symbol in flatten(graph.outputs)[1:]]


def _layer_of(graph: Graph, symbol: object) -> str:
    """Return the name of the layer that wrote a tensor; of an input, its own."""
    step = graph.producer(symbol)
    if step is None:
        return str(getattr(symbol, "name", ""))
    if isinstance(step.operation, TokensToGrid):
        return _layer_of(graph, step.reads[0])
    return str(step.operation.name)
