"""A model as a list of steps, which can be rewritten without touching the model.

They are run by calling the user's own layers, on real tensors only: `tracing` says why.
"""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import keras

from keras_explainable.network.model_inputs import in_model_structure
from keras_explainable.types import Tensor

NO_TAPS: Mapping[int, Tensor] = MappingProxyType({})


@dataclass(frozen=True)
class Step:
    """One call of an operation; symbolic tensors name the values it reads, writes."""

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: Any

    def reading(self, values: Mapping[int, Any]) -> "Step":
        """Return the step with other tensors for those it reads, where one is given."""
        args, kwargs = substituted((self.args, self.kwargs), values)
        return replace(self, args=args, kwargs=kwargs)

    def run(self, values: Mapping[int, Any]) -> dict[int, Any]:
        """Return the value of each output, given those of the tensors it reads."""
        if self._takes_only_tensors:  # A walk through trees takes a small layer's time.
            args = (values.get(id(symbol), symbol) for symbol in self.args)
            return by_symbol(self.outputs, self.operation(*args))
        now = self.reading(values)
        return by_symbol(self.outputs, now.operation(*now.args, **now.kwargs))

    @functools.cached_property
    def _takes_only_tensors(self) -> bool:
        symbols = (isinstance(each, keras.KerasTensor) for each in self.args)
        return not self.kwargs and all(symbols)

    @functools.cached_property
    def reads(self) -> Sequence[keras.KerasTensor]:
        """The symbolic tensors it reads, one entry for each time."""
        return tuple(symbols_in((self.args, self.kwargs)))

    def is_plain(self) -> bool:
        """Whether it only reads tensors, with no other arguments that matter."""
        leaves = keras.tree.flatten(self.args)
        symbols = all(isinstance(leaf, keras.KerasTensor) for leaf in leaves)
        options = keras.tree.flatten(self.kwargs)
        return symbols and all(x is None or x is False for x in options)


@dataclass(frozen=True)
class Graph:
    """Steps in order of execution, from ``inputs`` to ``outputs``.

    The inputs are in a tuple, or several in the structure that the model has.
    """

    inputs: Any
    steps: tuple[Step, ...]
    outputs: Any

    def run(self, inputs: Any, taps: Mapping[int, Tensor] = NO_TAPS) -> Any:
        """Return the outputs.

        Args:
            inputs: tensors in the structure of ``self.inputs``.
            taps: added to the values of tensors, by the ``id`` of their symbol.
        """
        values = by_symbol(self.inputs, inputs)
        for step, done in zip(self.steps, self._unread_after, strict=True):
            made = step.run(values)
            values |= {key: _tapped(made[key], taps.get(key)) for key in made}
            for symbol in done:  # Memory that is free again is fast memory.
                values.pop(symbol, None)
        return substituted(self.outputs, values)

    def values(self, inputs: Any) -> dict[int, Any]:
        """Return the value of every tensor, by the ``id`` of its symbol."""
        values = by_symbol(self.inputs, inputs)
        for step in self.steps:
            values |= step.run(values)
        return values

    @functools.cached_property
    def _unread_after(self) -> list[set[int]]:
        """For each step, the tensors that no later step reads."""
        outputs = {id(tensor) for tensor in keras.tree.flatten(self.outputs)}
        return unread_after([{*map(id, step.reads)} for step in self.steps], outputs)

    def times_read(self) -> Counter[int]:
        """Return how many times steps read each tensor, by the ``id`` of its symbol."""
        return Counter(id(symbol) for step in self.steps for symbol in step.reads)

    def producer(self, tensor: keras.KerasTensor) -> Step | None:
        """Return the step that writes ``tensor``, or None if it is an input."""
        for step in self.steps:
            if any(output is tensor for output in keras.tree.flatten(step.outputs)):
                return step
        return None

    def between(
        self, start: keras.KerasTensor, end: keras.KerasTensor
    ) -> tuple[Step, ...]:
        """Return the steps by which ``end`` depends on ``start``, in their order."""
        reached, above = {id(start)}, []
        for step in self.steps:
            if reached.intersection(map(id, step.reads)):
                above.append(step)
                reached.update(map(id, keras.tree.flatten(step.outputs)))
        return replace(self, steps=tuple(above), outputs=end).pruned().steps

    def pruned(self) -> "Graph":
        """Return the graph without the steps that its outputs do not need."""
        needed = {id(tensor) for tensor in keras.tree.flatten(self.outputs)}
        kept: list[Step] = []
        for step in reversed(self.steps):
            if needed.intersection(map(id, keras.tree.flatten(step.outputs))):
                kept.append(step)
                needed.update(map(id, step.reads))
        return Graph(self.inputs, tuple(reversed(kept)), self.outputs)


def unread_after(reads: Sequence[set[int]], outputs: set[int]) -> list[set[int]]:
    """Return of what is read at each step what no later one reads, and is no output."""
    later, done = outputs, []
    for read in reversed(reads):
        done.append(read - later)
        later = later | read
    return done[::-1]


def _tapped(value: Tensor, tap: Tensor | None) -> Tensor:
    return value if tap is None else value + keras.ops.cast(tap, value.dtype)


class GraphModel(keras.Model):
    """A model that runs a `Graph`; it shares its layers with the model traced."""

    def __init__(self, graph: Graph, name: str):
        super().__init__(name=name, autocast=False)  # Layers cast as they want.
        self.layers_used = _layers(graph.steps)  # Tracked: layers and weights.
        self.graph = graph
        self.built = True

    @property
    def inputs(self) -> list[keras.KerasTensor]:
        """The symbolic inputs, which tell shapes and dtypes."""
        return keras.tree.flatten(self.graph.inputs)

    @property
    def input(self) -> Any:
        """The symbolic inputs in their structure."""
        return self.graph.inputs

    @property
    def outputs(self) -> list[keras.KerasTensor]:
        """The symbolic outputs, which tell shapes and dtypes."""
        return keras.tree.flatten(self.graph.outputs)

    def call(self, inputs: Any, mask: Tensor | None = None) -> Tensor:
        """Run the graph; Keras passes ``training``, tensors bring their masks."""
        return self.run(in_model_structure(self, inputs))

    def run(self, inputs: Any, taps: Mapping[int, Tensor] = NO_TAPS) -> Any:
        """Return the outputs; see ``Graph.run``."""
        return self.graph.run(inputs, taps)


def substituted(structure: Any, values: Mapping[int, Any]) -> Any:
    """Return ``structure`` with a value for each symbolic tensor that has one."""
    return keras.tree.map_structure(lambda leaf: values.get(id(leaf), leaf), structure)


def by_symbol(symbols: Any, tensors: Any) -> dict[int, Any]:
    """Return ``tensors`` by the ``id`` of the symbol each one is the value of."""
    leaves = keras.tree.flatten(symbols), keras.tree.flatten(tensors)
    return {id(symbol): tensor for symbol, tensor in zip(*leaves, strict=True)}


def symbols_in(structure: Any) -> list[keras.KerasTensor]:
    """Return the symbolic tensors, one entry for each time."""
    leaves = keras.tree.flatten(structure)
    return [leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor)]


def _layers(steps: Iterable[Step]) -> list[keras.Layer]:
    operations = {id(step.operation): step.operation for step in steps}
    return [op for op in operations.values() if isinstance(op, keras.Layer)]


def shallow_copy(layer: keras.Layer) -> keras.Layer:
    """Return a shallow copy of ``layer``, with the same variables.

    ``copy.copy`` would serialise the layer and make new weights. The copy shares its
    lists of graph nodes with ``layer``, so it must only be called on real tensors.
    """
    copy = object.__new__(type(layer))
    copy.__dict__.update(layer.__dict__)
    return copy
