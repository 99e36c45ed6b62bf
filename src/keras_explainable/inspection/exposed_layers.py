"""Models whose inner layers are outputs too, and derivatives by what they output."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias

import keras
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, first_of, flatten, row_count
from keras_explainable.inspection.find_layers import GLOBAL_POOLING
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.network import output_units
from keras_explainable.network.graph import Graph, GraphModel
from keras_explainable.network.trace_model import inlined, trace
from keras_explainable.types import Model, Tensor

#: A layer or its name, for its output; {"name": ..., "link": "input"} for its input.
Endpoint: TypeAlias = str | keras.Layer | Mapping[str, str]


def expose(
    model: Model,
    arguments: Endpoint | list[Endpoint] | None = None,
    outputs: Endpoint | list[Endpoint] | None = None,
) -> Model:
    """Return a model with outputs ``[outputs, *arguments]``, sharing its layers.

    Args:
        model: Functional or Sequential Keras model, which is only read.
        arguments: Layers whose output to expose, as objects or by name, also within
            nested models; {"name": ..., "link": "input"} exposes a layer's input. None
            exposes the input of the global pooling or else the output of the last layer
            with spatial output.
        outputs: Layer whose output comes first, given in the same way. None keeps the
            output of ``model``.

    Raises:
        ValueError: If there is no such layer, or the layers of ``model`` are not known.

    Example::

        exposed = ke.inspection.expose(model, "conv5_block3_out")
        logits, maps = ke.gradcam(exposed, x, y)
    """
    exposed = rewritten_model(model, _with_exposed, _parse(arguments), _parse(outputs))
    if exposed is model:
        raise ValueError(
            "`model` must be a Functional or Sequential model to expose inner layers; "
            f"received {type(model).__name__}."
        )
    return exposed


def layer_model(model: Model, layer: Endpoint) -> Model:
    """Return a model of the output of an inner layer, sharing ``model``'s layers.

    Args:
        model: Functional or Sequential Keras model, which is only read.
        layer: Layer, as in ``expose``.

    Raises:
        ValueError: If there is no such layer, or the layers of ``model`` are not known.
    """
    inner = rewritten_model(model, _with_layer_output, *_parse(layer))
    if inner is model:
        raise ValueError(
            "`model` must be Functional or Sequential to explain an inner layer; "
            f"received {type(model).__name__}."
        )
    return inner


def _with_layer_output(graph: Graph, layer: "_LayerLink") -> Graph:
    flat = inlined(graph)
    return replace(flat, outputs=_symbol(graph, flat, layer)).pruned()


def endpoints(
    model: Model, wanted: Endpoint | list[Endpoint] | None = None
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


class _LayerLink(NamedTuple):
    """The output or input of a layer, which may be given by its name."""

    layer: str | keras.Layer
    link: str = "output"


def _parse(wanted: Endpoint | list[Endpoint] | None) -> tuple[_LayerLink, ...]:
    several = wanted if isinstance(wanted, list | tuple) else [wanted]
    return tuple(_parse_one(each) for each in several if each is not None)


def _parse_one(wanted: Endpoint) -> _LayerLink:
    found = _LayerLink(wanted) if isinstance(wanted, str | keras.Layer) else None
    if isinstance(wanted, Mapping) and {*wanted} <= {"name", "link"}:
        found = _LayerLink(wanted.get("name", ""), wanted.get("link", "output"))
    if found is None or found.link not in ("input", "output"):
        raise ValueError(
            "`arguments` and `outputs` must be layers, their names, or "
            '{"name": ..., "link": "input" or "output"}; '
            f"received {wanted!r}."
        )
    return found


def _with_exposed(
    graph: Graph, arguments: tuple[_LayerLink, ...], outputs: tuple[_LayerLink, ...]
) -> Graph:
    flat = inlined(graph)
    exposed = [_symbol(graph, flat, each) for each in arguments]
    first = [_symbol(graph, flat, each) for each in outputs]
    first = first or [first_of(flat.outputs)]
    exposed = exposed or [_last_spatial(flat)]
    return replace(flat, outputs=[*first, *exposed]).pruned()


def _symbol(graph: Graph, flat: Graph, endpoint: _LayerLink) -> keras.KerasTensor:
    """Return the tensor of the flat graph that an endpoint stands for."""
    name = getattr(endpoint.layer, "name", endpoint.layer)
    operation = _find_operation(graph, name)
    if operation is None:
        names = [step.operation.name for step in flat.steps]
        raise ValueError(
            f"`model` must have a layer named {name!r}; received one with {names}."
        )
    # The flat graph has the steps of a nested model instead of the model.
    while (inner := _nested_graph(operation)) is not None:
        last: Any = inner.producer(keras.tree.flatten(inner.outputs)[0])
        operation = last.operation
    step = [step for step in flat.steps if step.operation is operation][-1]
    symbols = step.outputs if endpoint.link == "output" else step.reads
    return keras.tree.flatten(symbols)[0]


def _find_operation(graph: Graph, name: Any) -> Any:
    """Return the last operation with this name, also within nested models."""
    for step in reversed(graph.steps):
        if step.operation.name == name:
            return step.operation
        inner = _nested_graph(step.operation)
        if inner and (found := _find_operation(inner, name)) is not None:
            return found
    return None


def _nested_graph(operation: Any) -> Graph | None:
    return trace(operation) if isinstance(operation, keras.Model) else None


def _last_spatial(graph: Graph) -> keras.KerasTensor:
    """Return the input of the last global pooling, or the last spatial output.

    Either has as many axes as the model input with the most axes.
    """
    rank = max(len(symbol.shape) for symbol in keras.tree.flatten(graph.inputs))
    poolings = [x for x in graph.steps if isinstance(x.operation, GLOBAL_POOLING)]
    pooled = [step.reads[0] for step in poolings]
    written = flatten([step.outputs for step in graph.steps])
    for symbol in [*reversed(pooled), *reversed(written)]:
        if len(symbol.shape) == rank > 2 and 1 not in symbol.shape[1:-1]:
            return symbol
    raise ValueError(
        "`model` must have a layer with spatial output, such as (B, H, W, C), which "
        "`layer=` may name; received one without."
    )
