"""A model as a list of steps, which can be rewritten without touching the model.

Steps call the user's own layers, on real tensors only; `trace_model` explains why.
"""

import functools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import keras

from keras_explainable import backend
from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.network.fixed_batch import required_rows, run_in_batches
from keras_explainable.network.mask_passing import MaskPassing
from keras_explainable.network.model_inputs import in_model_structure
from keras_explainable.types import Tensor

#: Modules of layers that show by their arguments whether they act in training.
_KNOWN = ("keras.", "keras_explainable.lowering.")

NO_OFFSETS: Mapping[int, Tensor] = MappingProxyType({})


@dataclass(frozen=True)
class Step:
    """One call of an operation; symbolic tensors name what it reads and writes.

    An ``implementation`` with the same arguments is called in place of the operation.
    ``call_number`` orders the calls of one operation as the user made them.
    """

    operation: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    outputs: Any
    implementation: Any = None
    call_number: int = 0

    def reading(self, values: Mapping[int, Any]) -> "Step":
        """Return the step reading the given values instead of tensors, by symbol id."""
        args, kwargs = substituted((self.args, self.kwargs), values)
        return replace(self, args=args, kwargs=kwargs)

    def renamed(self, symbols: Mapping[int, Any]) -> "Step":
        """Return the step with other symbols for what it reads and writes."""
        outputs = substituted(self.outputs, symbols)
        return replace(self.reading(symbols), outputs=outputs)

    def run(self, values: Mapping[int, Any]) -> dict[int, Any]:
        """Return the values of the outputs, given those of the tensors it reads."""
        if self._takes_only_tensors:  # Walking structures can outlast a small layer.
            args = (values.get(id(symbol), symbol) for symbol in self.args)
            return by_symbol(self.outputs, self._called(*args, **self._mode))
        return by_symbol(self.outputs, self.reading(values).call())

    def call(self) -> Any:
        """Return the operation's outputs, once the step reads values only.

        Like every layer of ``model(x, training=False)``, it is told that this is not
        training, for which some layers act by default.
        """
        return self._called(*self.args, **self.kwargs, **self._mode)

    @functools.cached_property
    def _called(self) -> Any:
        return self.implementation or self.operation

    @functools.cached_property
    def _mode(self) -> dict[str, bool]:
        layer = self._called
        if not isinstance(layer, keras.Layer):
            return {}
        # Any argument by name makes a small layer of Keras' slower by half.
        known = type(layer).__module__.startswith(_KNOWN)
        unaware = known and not accepts_parameter(layer.call, "training")
        return {} if unaware else {"training": False}

    @functools.cached_property
    def _takes_only_tensors(self) -> bool:
        symbols = (isinstance(arg, keras.KerasTensor) for arg in self.args)
        return not self.kwargs and all(symbols)

    @functools.cached_property
    def reads(self) -> Sequence[keras.KerasTensor]:
        """The symbolic tensors it reads, with one entry for each use."""
        return tuple(symbols_in((self.args, self.kwargs)))

    def is_plain(self) -> bool:
        """Return whether tensors are its only arguments that matter."""
        leaves = keras.tree.flatten(self.args)
        symbols = all(isinstance(leaf, keras.KerasTensor) for leaf in leaves)
        options = keras.tree.flatten(self.kwargs)
        return symbols and all(x is None or x is False for x in options)


def steps_of_one_output(step: Step) -> list[Step]:
    """Return a step for each tensor that a step writes, as the parts of a split."""
    if isinstance(step.outputs, keras.KerasTensor):
        return [step]
    called = step.implementation or step.operation
    return [
        replace(step, outputs=symbol, implementation=functools.partial(_one, called, k))
        for k, symbol in enumerate(keras.tree.flatten(step.outputs))
    ]


def _one(called: Any, number: int, *args: Any, **kwargs: Any) -> Any:
    return keras.tree.flatten(called(*args, **kwargs))[number]


@dataclass(frozen=True)
class Graph:
    """Steps in order of execution, from ``inputs`` to ``outputs``.

    A single input is in a tuple; several inputs have the model's own structure.
    Derivatives are corrected where the graph is run, unless they are "framework".
    If it is ``exposed``, outputs after the first are layers for a method to show.
    """

    inputs: Any
    steps: tuple[Step, ...]
    outputs: Any
    derivatives: str = "corrected"
    exposed: bool = False

    def run(self, inputs: Any, offsets: Mapping[int, Tensor] = NO_OFFSETS) -> Any:
        """Return the outputs.

        Args:
            inputs: Tensors in the structure of ``self.inputs``.
            offsets: Tensors to add to inputs and inner values, by the symbol's ``id``.
        """
        values = _with_offsets(by_symbol(self.inputs, inputs), offsets)
        for step, unread in zip(self.steps, self._unread_after, strict=True):
            values |= _with_offsets(step.run(values), offsets)
            for symbol in unread:  # Memory freed early is reused from the caches.
                values.pop(symbol, None)
        return substituted(self.outputs, values)

    def values(self, inputs: Any) -> dict[int, Any]:
        """Return the value of every tensor, by the symbol's ``id``."""
        values = by_symbol(self.inputs, inputs)
        with backend.state_kept():
            for step in self.steps:
                values |= step.run(values)
        return values

    @functools.cached_property
    def _unread_after(self) -> list[set[int]]:
        """For each step, the tensors that no later step reads."""
        reads = [ids(step.reads) for step in self.steps]
        return unread_after(reads, ids(self.outputs))

    def times_read(self) -> Counter[int]:
        """Return how many times steps read each tensor, by the symbol's ``id``."""
        return Counter(id(symbol) for step in self.steps for symbol in step.reads)

    def producer(self, tensor: keras.KerasTensor) -> Step | None:
        """Return the step that writes ``tensor``; None if it is an input."""
        writers = (step for step in self.steps if id(tensor) in ids(step.outputs))
        return next(writers, None)

    def inputs_of(self, tensor: keras.KerasTensor) -> list[int]:
        """Return the positions, in a flat list, of inputs that a tensor depends on."""
        steps = replace(self, outputs=tensor).pruned().steps
        needed = {id(tensor)}.union(*(ids(step.reads) for step in steps))
        inputs = keras.tree.flatten(self.inputs)
        return [k for k, symbol in enumerate(inputs) if id(symbol) in needed]

    def between(
        self, start: keras.KerasTensor, end: keras.KerasTensor
    ) -> tuple[Step, ...]:
        """Return the steps through which ``end`` depends on ``start``, in order."""
        reached, dependent = {id(start)}, []
        for step in self.steps:
            if reached & ids(step.reads):
                dependent.append(step)
                reached |= ids(step.outputs)
        return replace(self, steps=tuple(dependent), outputs=end).pruned().steps

    def pruned(self) -> "Graph":
        """Return the graph without steps that its outputs do not need."""
        needed, steps = ids(self.outputs), []
        for step in reversed(self.steps):
            if needed & ids(step.outputs):
                steps.append(step)
                needed |= ids(step.reads)
        return replace(self, steps=tuple(reversed(steps)))

    def with_new_symbols(self) -> "Graph":
        """Return an equal graph, which can be inlined beside this one."""
        symbols = symbols_in([self.inputs, [step.outputs for step in self.steps]])
        new = {id(x): symbol_like(x, x.name) for x in symbols}
        return self.rewritten([step.renamed(new) for step in self.steps], new)

    def rewritten(self, steps: Iterable[Step], values: Mapping[int, Any]) -> "Graph":
        """Return the graph with other steps and tensors, by the symbol's ``id``."""
        inputs, outputs = substituted((self.inputs, self.outputs), values)
        return replace(self, inputs=inputs, steps=tuple(steps), outputs=outputs)


def unread_after(reads: Sequence[set[int]], outputs: set[int]) -> list[set[int]]:
    """Return, for each step, what it reads that no later step or output needs."""
    needed, unread = outputs, []
    for read in reversed(reads):
        unread.append(read - needed)
        needed = needed | read
    return unread[::-1]


def _with_offsets(
    values: dict[int, Tensor], offsets: Mapping[int, Tensor]
) -> dict[int, Tensor]:
    """Return values plus their offsets, where they have one; their masks are kept."""
    moved = values.keys() & offsets.keys()
    return values | {key: _plus(values[key], offsets[key]) for key in moved}


def _plus(x: Tensor, offset: Tensor) -> Tensor:
    return MaskPassing(keras.ops.add)(x, keras.ops.cast(offset, x.dtype))


class GraphModel(keras.Model):
    """A model that runs a `Graph` and shares the layers of the traced model."""

    def __init__(self, graph: Graph, name: str):
        super().__init__(name=name, autocast=False)  # Layers cast for themselves.
        operations = {id(step.operation): step.operation for step in graph.steps}
        layers = (x for x in operations.values() if isinstance(x, keras.Layer))
        self.layers_used = list(layers)  # Keras tracks their weights.
        self.graph = graph
        self.required_rows = required_rows(graph.inputs, graph.steps, graph.outputs)
        self.built = True

    @property
    def inputs(self) -> list[keras.KerasTensor]:
        """The symbolic inputs, with shapes and dtypes, in a flat list."""
        return keras.tree.flatten(self.graph.inputs)

    @property
    def input(self) -> Any:
        """The symbolic inputs in the model's structure."""
        return self.graph.inputs

    @property
    def outputs(self) -> list[keras.KerasTensor]:
        """The symbolic outputs, with shapes and dtypes, in a flat list."""
        return keras.tree.flatten(self.graph.outputs)

    def call(self, inputs: Any, mask: Tensor | None = None) -> Tensor:
        """Return the outputs; tensors carry their own masks."""
        return self.run(in_model_structure(self, inputs))

    def run(self, inputs: Any, offsets: Mapping[int, Tensor] = NO_OFFSETS) -> Any:
        """Return the outputs; see ``Graph.run``."""
        if self.required_rows is None:
            return self.graph.run(inputs, offsets)
        return run_in_batches(self.graph.run, self.required_rows, inputs, offsets)


def ids(structure: Any) -> set[int]:
    """Return the ``id`` of each tensor in ``structure``."""
    return {*map(id, keras.tree.flatten(structure))}


def substituted(structure: Any, values: Mapping[int, Any]) -> Any:
    """Return ``structure`` with values for those symbolic tensors that have one."""
    return keras.tree.map_structure(lambda leaf: values.get(id(leaf), leaf), structure)


def by_symbol(symbols: Any, tensors: Any) -> dict[int, Any]:
    """Return ``tensors`` by the ``id`` of their symbols, of the same structure."""
    leaves = keras.tree.flatten(symbols), keras.tree.flatten(tensors)
    return {id(symbol): tensor for symbol, tensor in zip(*leaves, strict=True)}


def symbols_in(structure: Any) -> list[keras.KerasTensor]:
    """Return the symbolic tensors, with one entry for each occurrence."""
    leaves = keras.tree.flatten(structure)
    return [leaf for leaf in leaves if isinstance(leaf, keras.KerasTensor)]


def symbol_like(tensor: Any, name: str | None = None) -> keras.KerasTensor:
    """Return another symbolic tensor with the same shape and dtype."""
    return keras.KerasTensor(tensor.shape, dtype=tensor.dtype, name=name)


def shallow_copy(layer: keras.Layer) -> keras.Layer:
    """Return a shallow copy of ``layer`` with the same variables.

    ``copy.copy`` would serialise the layer and create new weights. The copy shares the
    graph nodes of ``layer``, so it must only be called on real tensors.
    """
    copy = object.__new__(type(layer))
    copy.__dict__.update(layer.__dict__)
    return copy
