"""Reading a model as a graph.

Calling a user's layer on a symbolic tensor would add a node to that layer for good.
Tracing therefore clones the model with a recorder in the place of every layer.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from typing import Any

import keras

from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.network.graph import (
    Graph,
    GraphModel,
    Step,
    by_symbol,
    symbol_like,
)
from keras_explainable.network.layers_of_model import model_state
from keras_explainable.network.operation_kinds import computes_as
from keras_explainable.types import Model

#: Returns the graph of a step; None if the step stays.
InnerGraph = Callable[[Step], Graph | None]


_cache = ModelCache(capacity=1)


def trace(model: Model) -> Graph | None:
    """Return the `Graph` of a Functional or Sequential model; None for any other.

    It is None, too, for a subclass that is called in another way, and if Keras cannot
    tell the shapes within a Sequential model. Each graph has symbols of its own, so
    that several can be inlined side by side.
    """
    if isinstance(model, GraphModel):
        graph = model.graph if type(model).run is GraphModel.run else None
    elif computes_as(model, keras.Sequential):
        graph = _trace_once(_trace_sequential, model)
    else:
        graph = _trace_once(_trace_functional, model) if _is_functional(model) else None
    return None if graph is None else graph.with_new_symbols()


def _trace_once(make: Callable[[Model], Graph | None], model: Model) -> Graph | None:
    return _cache.get(model, None, partial(make, model), model_state(model))


def _is_functional(model: Model) -> bool:
    """Return whether calling the model does no more than run its graph."""
    return isinstance(model, keras.Model) and computes_as(model, _functional())


@cache
def _functional() -> type:
    """Return the class of Functional models, which Keras does not export."""
    symbol = keras.Input(())
    return type(keras.Model(symbol, symbol))


def _trace_sequential(model: keras.Sequential) -> Graph | None:
    """Return the graph of the Functional model that Keras makes of a Sequential one.

    The masks of its layers are tensors of that graph. A list of the layers would leave
    them to attributes of values, which are lost where a value is replaced.
    """
    if not model.built:
        raise ValueError(
            "`model` must be built (give it an `Input` or call it once); "
            f"received {model.name!r}, whose input shape is not known."
        )
    if getattr(model, "inputs", None) is None:
        return None
    return _trace_functional(model)


def _trace_functional(model: Model) -> Graph:
    steps: list[Step] = []
    numbers = _call_numbers(model)

    def record(recorder: _Recorder, *args: Any, **kwargs: Any) -> Any:
        outputs = recorder(*args, **kwargs)
        # Keras, too, replaces the layer's `training` by the model's.
        options = {key: value for key, value in kwargs.items() if key != "training"}
        args, options = _by_position(recorder.operation, args, options)
        step = Step(recorder.operation, args, options, outputs)
        number = next(numbers.get(id(step.operation), iter(())), 0)
        steps.append(replace(step, call_number=number))
        return outputs

    # A new model, because cloning a compiled one would compile the clone, too.
    uncompiled = keras.Model(model.inputs, model.outputs)
    clone = keras.models.clone_model(
        uncompiled, clone_function=_Recorder, call_function=record
    )
    structure = tuple(model.inputs) if len(model.inputs) == 1 else model.input
    inputs = keras.tree.pack_sequence_as(structure, clone.inputs)
    graph = Graph(inputs, tuple(steps), _as_outputs(model, clone.outputs))
    given = getattr(model, "input", None)  # Missing until a Sequential one is called.
    if len(model.inputs) == 1 and isinstance(given, dict):
        return _with_input_named(graph, *given)
    return graph


def _with_input_named(graph: Graph, name: str) -> Graph:
    """Return the graph with its only input under the key of the model's dictionary."""
    [symbol] = keras.tree.flatten(graph.inputs)
    new = {id(symbol): symbol_like(symbol, name)}
    return graph.rewritten([step.renamed(new) for step in graph.steps], new)


def _by_position(
    operation: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return arguments with tensors by position that a call needs, as ``inputs=x``.

    Masks are told by their names. Keras takes nothing but tensors by position.
    """
    if not options:
        return args, options
    parameters = [*inspect.signature(operation.call).parameters.values()]
    for each in parameters[len(args) :]:
        needed = each.kind is each.POSITIONAL_OR_KEYWORD and each.default is each.empty
        given = keras.tree.flatten(options.get(each.name))
        tensors = given and all(isinstance(x, keras.KerasTensor) for x in given)
        if not (needed and tensors) or "mask" in each.name:
            break
        args = (*args, options[each.name])
        options = {name: x for name, x in options.items() if name != each.name}
    return args, options


def _call_numbers(model: Model) -> dict[int, Iterator[int]]:
    """Return the numbers of the calls of each operation, in order of execution.

    Keras executes calls in an order of its own, also those of the same layer.
    """
    found: dict[int, list[int]] = {}
    by_depth = getattr(model, "_nodes_by_depth", {})
    for depth in sorted(by_depth, reverse=True):
        for node in by_depth[depth]:
            number = getattr(node.operation, "_inbound_nodes", [node]).index(node)
            found.setdefault(id(node.operation), []).append(number)
    return {operation: iter(numbers) for operation, numbers in found.items()}


def _as_outputs(model: Model, outputs: list[keras.KerasTensor]) -> Any:
    """Return a single output itself, and several in the model's structure."""
    if len(outputs) == 1:
        return outputs[0]
    return keras.tree.pack_sequence_as(_output_structure(model), outputs)


def _output_structure(model: Model) -> Any:
    """Return symbols of the outputs in their structure, and dictionaries in order."""
    if not isinstance(model, keras.Sequential):
        return model.compute_output_spec(model.input)
    last = model.layers[-1]
    if _is_functional(last):  # A Sequential model sorts the keys of what this returns.
        return _output_structure(last)
    return model.compute_output_spec(model.inputs[0])


def structure_of_only_output(model: Model) -> Any:
    """Return the structure, such as a dictionary, around a model's only output.

    It is None if there is no such structure. The model's graph has the output itself.
    """
    if not _is_functional(model) or len(model.outputs) != 1:
        return None
    structure = _output_structure(model)
    return structure if keras.tree.is_nested(structure) else None


def first_key(model: Model) -> str | None:
    """Return the key that comes first in a dictionary of several outputs, else None.

    Neither ``model.outputs`` nor, on PyTorch, what the model returns is in this order.
    """
    several = len(getattr(model, "outputs", None) or ()) > 1
    if not several or not computes_as(model, _functional(), keras.Sequential):
        return None
    structure = _output_structure(model)
    return next(iter(structure)) if isinstance(structure, dict) else None


def inlined(graph: Graph, inner_graph: InnerGraph | None = None) -> Graph:
    """Return the graph with nested models, or other steps, replaced by their steps.

    What only unused outputs of nested models need is left out.

    Args:
        graph: Any graph.
        inner_graph: Returns the graph of a step, or None if it stays; by default those
            of nested models.
    """
    return inlined_with_calls(graph, inner_graph)[0].pruned()


def inlined_with_calls(
    graph: Graph, inner_graph: InnerGraph | None = None
) -> tuple[Graph, list[Step]]:
    """Return the inlined graph, and all calls of operations.

    The calls are steps on the tensors of the inlined graph. They include those of
    nested models, each after the calls of its layers. They are in order of execution,
    but those of one operation in the order in which the user called it.
    """
    steps, groups = list[Step](), list[tuple[Step, list[Step]]]()
    renamed: dict[int, Any] = {}
    for step in graph.steps:
        step = step.reading(renamed)
        inner, inner_calls = (inner_graph or graph_of)(step), list[Step]()
        if inner is None:
            steps.append(step)
        else:
            inner, inner_calls = inlined_with_calls(inner, inner_graph)
            names = by_symbol(inner.inputs, step.args)
            inner = inner.rewritten(
                [each.renamed(names) for each in inner.steps], names
            )
            steps += inner.steps
            inner_calls = [each.renamed(names) for each in inner_calls]
            renamed |= by_symbol(step.outputs, inner.outputs)
            step = replace(step, outputs=inner.outputs)
        groups.append((step, [*inner_calls, step]))
    return graph.rewritten(steps, renamed), _in_order_of_calls(groups)


def _in_order_of_calls(groups: list[tuple[Step, list[Step]]]) -> list[Step]:
    """Return the calls of all steps, those of the same operation by their numbers."""
    of_operation: dict[int, list[tuple[Step, list[Step]]]] = {}
    for group in groups:
        of_operation.setdefault(id(group[0].operation), []).append(group)
    ordered = {
        key: iter(sorted(same, key=lambda group: group[0].call_number))
        for key, same in of_operation.items()
    }
    found = (next(ordered[id(step.operation)]) for step, _ in groups)
    return [call for _, calls in found for call in calls]


def graph_of(step: Step) -> Graph | None:
    """Return the graph of a nested model, or of a wrapper that only calls its layer.

    It is None for any other step.
    """
    if not step.is_plain():
        return None
    if not computes_as(step.operation, keras.layers.SpectralNormalization):
        return trace(step.operation)
    symbol, output = symbol_like(step.args[0]), symbol_like(step.outputs)
    inner = Step(step.operation.layer, (symbol,), {}, output)
    return Graph((symbol,), (inner,), output)


class _Recorder(keras.Operation):
    """Stands in for an operation, with the same outputs but its own nodes."""

    def __init__(self, operation: Any):
        super().__init__()
        self.operation = operation

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return self.operation.compute_output_spec(*args, **kwargs)
