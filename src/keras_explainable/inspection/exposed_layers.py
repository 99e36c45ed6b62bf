"""Showing what inner layers compute, and how the outputs depend on it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import keras
from keras import ops

from keras_explainable.common.structures import Nested, flatten, row_count
from keras_explainable.inspection.find_layers import GLOBAL_POOLING
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.network import output_units
from keras_explainable.network.graph import Graph, GraphModel
from keras_explainable.network.trace_model import inlined, trace
from keras_explainable.types import Model, Tensor

#: A layer or its name; or {"name": ..., "link": "input"} for what the layer reads.
Endpoint: TypeAlias = str | keras.Layer | Mapping[str, str]


def expose(
    model: Model,
    arguments: Endpoint | list[Endpoint] | None = None,
    outputs: Endpoint | list[Endpoint] | None = None,
) -> Model:
    """Return a model of ``[outputs, *arguments]``, sharing ``model``'s layers.

    Args:
        model: a Functional or Sequential Keras model, which is only read.
        arguments: layers to show the output of, by name or as objects, also within
            nested models; {"name": ..., "link": "input"} shows what a layer reads.
            None: what the global pooling reads, or the last layer with spatial output.
        outputs: likewise, what the model is to output first; None for its own output.

    Raises:
        ValueError: if there is no such layer, or the layers of ``model`` are not known.

    Example::

        exposed = ke.inspection.expose(model, "conv5_block3_out")
        logits, maps = ke.gradcam(exposed, x, y)
    """
    exposed = rewritten_model(model, _exposed, _places(arguments), _places(outputs))
    if exposed is model:
        raise ValueError(
            "`model` must be a Functional or Sequential model to expose inner layers; "
            f"received {type(model).__name__}."
        )
    return exposed


def endpoints(
    model: Model, wanted: Endpoint | list[Endpoint] | None = None
) -> list[keras.KerasTensor]:
    """Return the symbolic tensors at these places, which tell shapes and dtypes.

    Args, raises: as for ``arguments`` of ``expose``.
    """
    return expose(model, wanted).outputs[1:]


def is_exposed(model: Model) -> bool:
    """Whether the model's other outputs are inner values of its first one."""
    if len(getattr(model, "outputs", None) or ()) < 2:
        return False
    graph = _own_graph(model)
    if graph is None:
        return False
    first, *shown = keras.tree.flatten(graph.outputs)
    steps = replace(graph, outputs=first).pruned().steps
    inner = {id(first)} | {id(symbol) for step in steps for symbol in step.reads}
    return all(id(symbol) in inner for symbol in shown)


def exposed_outputs(model: Model) -> tuple[Graph, list[Any]]:
    """Return the graph of an exposed model's own layers, and those that are exposed.

    Of a lowered copy it is the graph that the copy was made from. An input that is
    exposed has no layer: None.
    """
    graph = _own_graph(model)
    if graph is None:
        raise ValueError(
            "`model` must be a Functional or Sequential model to find its layers; "
            f"received {type(model).__name__}."
        )
    shown = keras.tree.flatten(graph.outputs)[1:]
    producers = [graph.producer(symbol) for symbol in shown]
    return graph, [step and step.operation for step in producers]


def _own_graph(model: Model) -> Graph | None:
    """Return the graph of a model's own layers; None if it is not known."""
    for name in ("original", "graph"):
        if isinstance(getattr(model, name, None), Graph):
            return getattr(model, name)
    return trace(model)


Run = Callable[[Nested, list[Tensor]], tuple[Tensor, list[Tensor]]]


def with_taps(model: Model, inputs: Nested) -> tuple[Run, list[Tensor]]:
    """Return how to differentiate a model's outputs by what is exposed.

    Returns:
        ``run(inputs, taps)``, which adds the taps to the exposed values and returns
        outputs (B, units) and these values; and zeros to call it with. The derivatives
        by them are those by the values, on every backend alike.

    Raises:
        ValueError: if nothing is exposed, or the model's layers are not known.
    """
    if not isinstance(model, GraphModel):
        model = rewritten_model(model, replace)  # Its graph as a model.
    if not (isinstance(model, GraphModel) and is_exposed(model)):
        raise ValueError(
            "`model` must be Functional or Sequential and have inner layers exposed "
            f"(`ke.inspection.expose`); received {type(model).__name__}."
        )
    symbols = model.outputs[1:]

    def run(inputs: Nested, taps: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        named: dict[int, Tensor] = {}
        for symbol, each in zip(symbols, taps, strict=True):  # May be exposed twice.
            named[id(symbol)] = named.get(id(symbol), 0) + each
        outputs, *values = keras.tree.flatten(model.run([inputs], named))
        return output_units.first_output(outputs), values

    return run, _zeros(model, symbols, inputs)


def _zeros(model: GraphModel, symbols: list[Any], inputs: Nested) -> list[Tensor]:
    shapes = [(row_count(inputs), *symbol.shape[1:]) for symbol in symbols]
    if any(None in shape for shape in shapes):
        _, *values = keras.tree.flatten(model.run([inputs]))
        shapes = [value.shape for value in values]
    real = [
        symbol.dtype if "float" in symbol.dtype else flatten(inputs)[0].dtype
        for symbol in symbols
    ]
    return [ops.zeros(*parts) for parts in zip(shapes, real, strict=True)]


class _Place(NamedTuple):
    """Where in a model: the output, or the input, of a layer or of a layer's name."""

    layer: str | keras.Layer
    link: str = "output"


def _places(wanted: Endpoint | list[Endpoint] | None) -> tuple[_Place, ...]:
    several = wanted if isinstance(wanted, list | tuple) else [wanted]
    return tuple(_place(each) for each in several if each is not None)


def _place(wanted: Endpoint) -> _Place:
    place = _Place(wanted) if isinstance(wanted, str | keras.Layer) else None
    if isinstance(wanted, Mapping) and {*wanted} <= {"name", "link"}:
        place = _Place(wanted.get("name", ""), wanted.get("link", "output"))
    if place is None or place.link not in ("input", "output"):
        raise ValueError(
            "`arguments` and `outputs` must be layers, their names, or "
            '{"name": ..., "link": "input" or "output"}; '
            f"received {wanted!r}."
        )
    return place


def _exposed(
    graph: Graph, arguments: tuple[_Place, ...], outputs: tuple[_Place, ...]
) -> Graph:
    flat = inlined(graph)
    shown = [_symbol(graph, flat, place) for place in arguments]
    first = [_symbol(graph, flat, place) for place in outputs]
    first = first or keras.tree.flatten(flat.outputs)[:1]
    return replace(flat, outputs=[*first, *(shown or [_last_spatial(flat)])]).pruned()


def _symbol(graph: Graph, flat: Graph, place: _Place) -> keras.KerasTensor:
    """Return the tensor of the flat graph that is at this place."""
    name = getattr(place.layer, "name", place.layer)
    operation = _operation(graph, name)
    if operation is None:
        names = [step.operation.name for step in flat.steps]
        raise ValueError(
            f"`model` must have a layer named {name!r}; received one with {names}."
        )
    while (inner := _graph_of(operation)) is not None:  # Its steps are in its place.
        last: Any = inner.producer(keras.tree.flatten(inner.outputs)[0])
        operation = last.operation
    step = [step for step in flat.steps if step.operation is operation][-1]
    symbols = step.outputs if place.link == "output" else step.reads
    return keras.tree.flatten(symbols)[0]


def _operation(graph: Graph, name: Any) -> Any:
    """Return the last operation of this name, also within nested models."""
    for step in reversed(graph.steps):
        if step.operation.name == name:
            return step.operation
        inner = _graph_of(step.operation)
        found = inner and _operation(inner, name)
        if found is not None:
            return found
    return None


def _graph_of(operation: Any) -> Graph | None:
    return trace(operation) if isinstance(operation, keras.Model) else None


def _last_spatial(graph: Graph) -> keras.KerasTensor:
    """Return what the last global pooling reads, or the last output with space.

    Either has as many axes as the model's input, the one that has most.
    """
    rank = max(len(symbol.shape) for symbol in keras.tree.flatten(graph.inputs))
    pooled = [
        step for step in graph.steps if isinstance(step.operation, GLOBAL_POOLING)
    ]
    read = [step.reads[0] for step in pooled]
    written = [x for step in graph.steps for x in keras.tree.flatten(step.outputs)]
    for symbol in [*reversed(read), *reversed(written)]:
        if len(symbol.shape) == rank > 2 and 1 not in symbol.shape[1:-1]:
            return symbol
    raise ValueError(
        "`model` must have a layer with spatial output, such as (B, H, W, C), which "
        "`layer=` may name; received one without."
    )
