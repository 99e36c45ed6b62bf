"""A model as a list of steps, which can be rewritten without touching the model.

Calling a user's layer on a symbolic tensor would add a node to that layer for good.
So the steps are read by cloning the model with a recorder in the place of every
layer, and are run by calling the user's own layers on real tensors only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import keras

from keras_explainable.types import Model, Tensor


@dataclass(frozen=True)
class Step:
    """One call of an operation; symbolic tensors name the values it reads, writes."""

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: Any


@dataclass(frozen=True)
class Graph:
    """Steps in order of execution, from ``inputs`` to ``outputs``."""

    inputs: tuple[keras.KerasTensor, ...]
    steps: tuple[Step, ...]
    outputs: Any

    def run(self, inputs: Any) -> Any:
        """Return the outputs for tensors in the order of ``self.inputs``."""
        tensors = keras.tree.flatten(inputs)
        values = dict(zip(map(id, self.inputs), tensors, strict=True))
        for step in self.steps:
            args, kwargs = _fill((step.args, step.kwargs), values)
            results = keras.tree.flatten(step.operation(*args, **kwargs))
            names = keras.tree.flatten(step.outputs)
            values.update(zip(map(id, names), results, strict=True))
        return _fill(self.outputs, values)

    def producer(self, tensor: keras.KerasTensor) -> Step | None:
        """Return the step that writes ``tensor``, or None if it is an input."""
        for step in self.steps:
            if any(output is tensor for output in keras.tree.flatten(step.outputs)):
                return step
        return None

    def pruned(self) -> "Graph":
        """Return the graph without the steps that its outputs do not need."""
        needed = {id(tensor) for tensor in keras.tree.flatten(self.outputs)}
        kept: list[Step] = []
        for step in reversed(self.steps):
            if needed.intersection(map(id, keras.tree.flatten(step.outputs))):
                kept.append(step)
                needed.update(map(id, keras.tree.flatten((step.args, step.kwargs))))
        return Graph(self.inputs, tuple(reversed(kept)), self.outputs)


class GraphModel(keras.Model):
    """A model that runs a `Graph`; it shares its layers with the model traced."""

    def __init__(self, graph: Graph, name: str):
        super().__init__(name=name)
        self.operations_used = _layers(graph.steps)  # Tracked: layers and weights.
        self.graph = graph
        self.built = True

    @property
    def inputs(self) -> list[keras.KerasTensor]:
        """The symbolic inputs, which tell shapes and dtypes."""
        return list(self.graph.inputs)

    @property
    def outputs(self) -> list[keras.KerasTensor]:
        """The symbolic outputs, which tell shapes and dtypes."""
        return keras.tree.flatten(self.graph.outputs)

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        """Run the graph; Keras passes ``training``, tensors bring their masks."""
        return self.graph.run(inputs)


def trace(model: Model) -> Graph | None:
    """Return the `Graph` of a Functional or Sequential model; None for any other."""
    if isinstance(model, keras.Sequential):
        return _trace_sequential(model)
    if _is_functional(model):
        return _trace_functional(model)
    return None


def _is_functional(model: Model) -> bool:
    """Whether the model does what its graph says, and nothing of its own."""
    symbol = keras.Input(())
    functional = type(keras.Model(symbol, symbol))
    return isinstance(model, functional) and type(model).call is functional.call


def _trace_sequential(model: keras.Sequential) -> Graph:
    if not model.built:
        raise ValueError(
            "`model` must be built (give it an `Input` or call it once); "
            f"received {model.name!r}, whose input shape is not known."
        )
    value = _symbol_like(model.inputs[0])
    inputs, steps = (value,), []
    for layer in model.layers:
        output = layer.compute_output_spec(value)
        steps.append(Step(layer, (value,), {}, output))
        value = output
    return Graph(inputs, tuple(steps), value)


def _symbol_like(tensor: keras.KerasTensor) -> keras.KerasTensor:
    return keras.KerasTensor(tensor.shape, dtype=tensor.dtype, name=tensor.name)


def _trace_functional(model: Model) -> Graph:
    steps: list[Step] = []

    def record(recorder: _Recorder, *args: Any, **kwargs: Any) -> Any:
        outputs = recorder(*args, **kwargs)
        steps.append(Step(recorder.operation, args, kwargs, outputs))
        return outputs

    # Wrapped anew because cloning a compiled model would compile the clone, too.
    uncompiled = keras.Model(model.inputs, model.outputs)
    clone = keras.models.clone_model(
        uncompiled, clone_function=_Recorder, call_function=record
    )
    outputs = clone.outputs if len(clone.outputs) > 1 else clone.outputs[0]
    return Graph(tuple(clone.inputs), tuple(steps), outputs)


class _Recorder(keras.Operation):
    """Stands in for an operation: same outputs, but the nodes are its own."""

    def __init__(self, operation: Any):
        super().__init__()
        self.operation = operation

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return self.operation.compute_output_spec(*args, **kwargs)


def _fill(structure: Any, values: dict[int, Any]) -> Any:
    def value(leaf: Any) -> Any:
        return values[id(leaf)] if isinstance(leaf, keras.KerasTensor) else leaf

    return keras.tree.map_structure(value, structure)


def _layers(steps: Iterable[Step]) -> list[keras.Layer]:
    operations = {id(step.operation): step.operation for step in steps}
    return [op for op in operations.values() if isinstance(op, keras.Layer)]
