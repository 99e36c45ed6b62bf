"""The operations that the call of a user's own layer is made of.

If a layer calls nothing but functions of ``keras.ops`` and other layers, Keras knows
its operations once the call is given symbolic tensors.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import flatten, is_float, map_structure
from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.network.graph import Graph, Step, shallow_copy, symbol_like
from keras_explainable.network.layers_of_model import held_layers
from keras_explainable.network.layers_of_user import calls_correctable
from keras_explainable.network.trace_model import graph_of, inlined
from keras_explainable.types import Tensor

#: Rows of the inputs for which the operations are compared with the layer, if any
#: number is allowed.
ROWS = 2

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})

_lock = threading.RLock()  # Calls add nodes to the layers inside, which are taken away.


class LastGraph:
    """The rewritten operations of a layer for the shapes that it was last called with.

    They are not kept if they are made of tensors: these may depend on variables.
    """

    def __init__(self, rewrite: Callable[[Graph], Graph]):
        """Args: what is made of the graph of operations."""
        self._rewrite = rewrite
        self._last: tuple[str, Graph | None] = "", None

    def of(
        self,
        layer: keras.Layer,
        args: tuple[Any, ...],
        options: Mapping[str, Any] = NO_OPTIONS,
    ) -> Graph | None:
        """Return the graph of a call; see ``operations_of_call``."""
        key = str([(x.shape, x.dtype) for x in flatten(args)])
        last, graph = self._last
        if last != key:
            graph = operations_of_call(layer, args, options)
            graph = graph and self._rewrite(graph)
            keep = graph is not None and not _has_tensors(graph)
            self._last = (key, graph) if keep else ("", None)
        return graph


class OwnLayer(keras.Layer):
    """Runs the operations of a layer of the user's, rewritten."""

    def __init__(self, layer: keras.Layer, rewrite: Callable[[Graph], Graph]):
        """Args: layer, whose operations are known; what is made of their graph."""
        super().__init__(dtype=layer.dtype_policy, autocast=layer.autocast)
        self.layer = layer
        self.supports_masking, self.built = layer.supports_masking, True
        self.__dict__["_graphs"] = LastGraph(rewrite)  # Not tracked like an attribute.

    def call(self, *args: Any, **options: Any) -> Any:
        """Return the outputs of the layer."""
        graph = self._graphs.of(self.layer, args, options)
        return graph.run(args) if graph else self.layer(*args, **options)


def _has_tensors(graph: Graph) -> bool:
    """Return whether a step is given tensors besides symbols and variables."""
    given = [(x.args, x.kwargs) for x in graph.steps]
    operations = (x.operation for x in graph.steps)  # Some keep what they are given.
    kept = [vars(x) for x in operations if not isinstance(x, keras.Layer)]
    return any(map(ops.is_tensor, flatten([given, kept])))


def operations_of_call(
    layer: keras.Layer, args: tuple[Any, ...], options: Mapping[str, Any] = NO_OPTIONS
) -> Graph | None:
    """Return the operations with which a layer computes its outputs.

    Those of nested models and of layers of the user's inside are among them.

    Args:
        layer: Layer of the user's, which is only read.
        args: Its arguments, tensors or symbols, which show shapes and dtypes.
        options: Its other arguments, by name, such as flags.

    Returns:
        Their graph. None if Keras does not know them: the functions of TensorFlow, JAX
        and PyTorch, for example, take no symbolic tensors.
    """
    graph = graph_of_call(layer, args, options)
    return None if graph is None else inlined(graph, partial(_inner_graph, layer))


def example_operations(step: Step) -> Graph | None:
    """Return the operations of a step's own layer for a few rows; None if unknown."""
    args = map_structure(_with_rows, step.args)
    known = all(None not in x.shape for x in flatten(args))
    if not known:
        return None
    return operations_of_call(step.operation, args, step.kwargs)


def computes_the_same(step: Step, graph: Graph) -> bool:
    """Return whether a graph has the values and derivatives of a step's own layer.

    It has not, for example, if the layer has derivatives of its own.

    Args:
        step: Step, which is run on random inputs.
        graph: From ``example_operations``.
    """
    opened = OwnLayer(step.operation, lambda graph: graph)
    return _agree(
        lambda *x: replace(step, args=x).call(),
        lambda *x: opened(*x, **step.kwargs),
        graph.inputs,
    )


def reads_to_the_same(step: Step, graph: Graph) -> bool:
    """Return the same for a graph whose inputs are what the step reads.

    Each tensor is among them once; they may have unknown sizes.
    """
    symbols = tuple(
        keras.KerasTensor([n or ROWS for n in x.shape], x.dtype) for x in graph.inputs
    )
    reads = [*{id(x): x for x in step.reads}]

    def run(*tensors: Tensor) -> Any:
        return [*step.run(dict(zip(reads, tensors, strict=True))).values()]

    return _agree(run, lambda *x: graph.run(x), symbols)


def _agree(one: Callable[..., Any], other: Callable[..., Any], symbols: Any) -> bool:
    try:
        with backend.eagerly():  # A layer inside may be met while compiling.
            of_layer, of_graph = (_results(each, symbols) for each in (one, other))
    except Exception:  # A layer may refuse these inputs, or they have no derivative.
        return False
    pairs = zip(of_layer, of_graph, strict=True)
    return all(np.allclose(a, b, 1e-3, 1e-5, equal_nan=True) for a, b in pairs)


def _results(function: Callable[..., Any], args: Any) -> list[np.ndarray]:
    """Return the values of a function of random inputs, and derivatives by these."""
    rng = np.random.default_rng(0)
    drawn = [_example(symbol, rng) for symbol in flatten(args)]

    def run(floats: list[Tensor]) -> tuple[Tensor, Any]:
        given = iter(floats)
        leaves = [next(given) if is_float(x) else x for x in drawn]
        outputs = flatten(function(*keras.tree.pack_sequence_as(args, leaves)))
        flat = [ops.reshape(ops.cast(x, "float32"), (-1,)) for x in outputs]
        return ops.concatenate(flat), ()

    outputs, pull, _ = backend.vjp(run, [x for x in drawn if is_float(x)])
    weights = rng.uniform(0.5, 1.5, outputs.shape)
    found = [outputs, *pull(ops.convert_to_tensor(weights, "float32"))]
    return [ops.convert_to_numpy(x) for x in found]


def _example(symbol: Any, rng: np.random.Generator) -> Tensor:
    """Return random values of a symbol's shape, and zeros in place of no floats."""
    drawn = rng.normal(size=symbol.shape) * is_float(symbol)
    return ops.convert_to_tensor(drawn, symbol.dtype)


def _with_rows(symbol: Any) -> keras.KerasTensor:
    """Return a symbol with a number of rows."""
    rows, *shape = symbol.shape
    return keras.KerasTensor((rows or ROWS, *shape), dtype=symbol.dtype)


def _inner_graph(outer: keras.Layer, step: Step) -> Graph | None:
    inner = graph_of(step)
    if inner is None and calls_correctable(step) and _same_types(outer, step.operation):
        return graph_of_call(step.operation, step.args, step.kwargs)
    return inner


def _same_types(one: keras.Layer, other: keras.Layer) -> bool:
    """Return whether inputs and variables are cast alike within both layers."""
    types = [(x.compute_dtype, x.variable_dtype) for x in (one, other)]
    return types[0] == types[1]


def graph_of_call(
    layer: keras.Layer, args: tuple[Any, ...], options: Mapping[str, Any] = NO_OPTIONS
) -> Graph | None:
    """Return the same, in which layers and nested models are single steps."""
    symbols = map_structure(symbol_like, args)
    mode = {"training": False} if accepts_parameter(layer.call, "training") else {}
    given = {**options, **mode}
    return graph_of_operations(symbols, layer, partial(layer.call, *symbols, **given))


def graph_of_operations(
    inputs: Any, layer: keras.Layer | None, function: Callable[[], Any]
) -> Graph | None:
    """Return the graph of what a function does with symbols; None if it is unknown.

    Args:
        inputs: Symbols that no step has written, which the function is bound to.
        layer: Layer that it calls, which is only read.
        function: Function without arguments.
    """
    try:
        with _lock, backend.state_kept(), _nodes_kept(layer):
            outputs = function()
            return Graph(inputs, tuple(_steps_to(flatten(outputs), set())), outputs)
    except Exception:  # Whatever a function raises that takes no symbolic tensors.
        return None


@contextmanager
def _nodes_kept(layer: keras.Layer | None) -> Iterator[None]:
    """Take away the nodes that are added to the layers inside."""
    held = held_layers(layer) if layer else []
    lists = [x for each in held for x in (each._inbound_nodes, each._outbound_nodes)]
    lengths = [*map(len, lists)]
    try:
        yield
    finally:
        for nodes, length in zip(lists, lengths, strict=True):
            del nodes[length:]


def _steps_to(symbols: Sequence[Any], seen: set[int]) -> Iterator[Step]:
    """Yield the steps by which symbols were computed, in order of execution."""
    for symbol in symbols:
        history = getattr(symbol, "_keras_history", None)
        if history is None or history.operation is None:
            continue  # It is an input.
        node = history.operation._inbound_nodes[history.node_index]
        if id(node) in seen:
            continue
        seen.add(id(node))
        yield from _steps_to(node.input_tensors, seen)
        yield _step(node)


def _step(node: Any) -> Step:
    """Return the call that a node of Keras' stands for."""
    arguments = node.arguments
    options = {k: v for k, v in arguments.kwargs.items() if k != "training"}
    outputs = node.outputs[0] if len(node.outputs) == 1 else node.outputs
    return Step(_runnable(node.operation), tuple(arguments.args), options, outputs)


def _runnable(operation: Any) -> Any:
    """Return an operation that was made for a symbol, which JAX may refuse to run.

    Keras keeps the axes of ``ops.norm`` in a list, which cannot be hashed.
    """
    if not isinstance(getattr(operation, "axis", None), list):
        return operation
    copy = shallow_copy(operation)
    copy.__dict__["axis"] = tuple(operation.axis)
    return copy
