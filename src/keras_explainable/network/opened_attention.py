"""Layers of attention, opened into the operations that they are made of.

Their probabilities become tensors of the graph, which can be exposed. Operations that
never form them, such as flash attention, are replaced by others that do.
"""

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial
from typing import Any

import keras
from keras import layers

from keras_explainable.common.structures import flatten
from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.network.attention_in_operations import (
    attention_in_operations,
)
from keras_explainable.network.attention_of_layer import attention_of_layer
from keras_explainable.network.attention_products import attentions_of
from keras_explainable.network.attention_weights import weights_and_product
from keras_explainable.network.follow_positions import ATTENTION
from keras_explainable.network.graph import (
    Graph,
    Step,
    by_symbol,
    substituted,
    symbol_like,
)
from keras_explainable.network.layers_of_user import (
    calls_function,
    is_own_layer,
    uses_masks,
)
from keras_explainable.network.mask_passing import starts_mask
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.network.operations_of_call import (
    graph_of_operations,
    reads_to_the_same,
)
from keras_explainable.network.spelt_softmax import with_softmax
from keras_explainable.network.trace_model import inlined


def with_opened_attention(graph: Graph, every: bool = False) -> Graph:
    """Return the graph, without nested models, whose attention is made of operations.

    The tensor of each attention's probabilities has the attention's name.

    Args:
        graph: Any graph.
        every: Whether to open layers of the user's without attention, too.
    """
    graph = _opened(graph, every=every)
    names: dict[str, int] = {}
    for attention in attentions_of(graph):
        name = attention.name
        names[name] = number = names.get(name, -1) + 1
        full = f"{name}:{number}" if number else name
        graph = _named(graph, attention.symbol, f"{full}/")
    return graph


def _opened(graph: Graph, path: str = "", every: bool = False) -> Graph:
    """Return the graph with the operations of layers that have attention.

    Args:
        graph: Any graph.
        path: Names of the layers around it.
        every: As for ``with_opened_attention``.
    """
    graph, steps = with_softmax(inlined(graph)), list[Step]()
    renamed, masked = dict[int, Any](), False
    for step in graph.steps:
        step = step.reading(renamed)
        masked = masked or starts_mask(step)
        inner = _inner_graph(step, path, masked, every)
        if inner is None:
            steps.append(step)
            continue
        reads = [*{id(x): x for x in step.reads}.values()]
        names = dict(zip(map(id, flatten(inner.inputs)), reads, strict=True))
        inner = inner.rewritten([each.renamed(names) for each in inner.steps], names)
        steps += inner.steps
        outputs, free = inner.outputs
        renamed |= by_symbol(step.outputs, outputs)
        renamed |= {id(names[key]): x for key, x in free.items()}
    return graph.rewritten(steps, renamed)


def _inner_graph(step: Step, path: str, masked: bool, every: bool) -> Graph | None:
    """Return the graph of a step, of the tensors that it reads; None if it stays.

    Its outputs are those of the step, and the tensors that lose their masks.

    Args:
        step: Step of a graph.
        path: Names of the layers around it.
        masked: Whether tensors may carry masks, which operations lose.
        every: As for ``with_opened_attention``.
    """
    name, operation = f"{path}{step.operation.name}", step.operation
    if keras_name(operation) == "DotProductAttention":
        return _traced(step, partial(attention_in_operations, operation))
    if isinstance(operation, ATTENTION):
        if isinstance(operation, layers.Attention):
            function: Callable[..., Any] = partial(weights_and_product, step, masked)
        else:
            function = partial(attention_of_layer, operation, masked)
        inner = _traced(step, function)
    elif not masked and (is_own_layer(operation) or _is_open_function(step, every)):
        inner = _of_own_layer(step, every)
    else:
        return None
    if inner is None:
        return None
    return _named_within(_opened(inner, f"{name}/", every), name)


def _is_open_function(step: Step, every: bool) -> bool:
    layer = step.operation
    return every and calls_function(layer) and not uses_masks(layer)


def _traced(step: Step, function: Callable[..., Any]) -> Graph | None:
    """Return the graph of a function of the step's arguments; None if it is unknown."""
    symbols = {id(x): symbol_like(x) for x in step.reads}
    args, options = substituted((step.args, step.kwargs), symbols)
    layer = step.operation if isinstance(step.operation, keras.Layer) else None
    call = partial(function, *args, **options)
    found = graph_of_operations(tuple(symbols.values()), layer, call)
    return found and replace(found, steps=tuple(map(_with_any_rows, found.steps)))


def _called(layer: keras.Layer, *args: Any, **options: Any) -> Any:
    mode = {"training": False} if accepts_parameter(layer.call, "training") else {}
    return layer.call(*args, **options, **mode), {}


def _of_own_layer(step: Step, every: bool) -> Graph | None:
    """Return the operations of a layer of the user's that has attention inside."""
    inner = _traced(step, partial(_called, step.operation))
    if inner is None:
        return None
    alone = replace(inner, outputs=inner.outputs[0])
    if not every and not attentions_of(_opened(alone)):
        return None
    return inner if reads_to_the_same(step, alone) else None


def _with_any_rows(step: Step) -> Step:
    """Return a step that reshapes any number of rows, which was unknown."""
    shape = getattr(step.operation, "newshape", None)
    if not isinstance(shape, tuple | list) or None not in shape:
        return step
    operation = copy(step.operation)
    operation.newshape = tuple(-1 if size is None else size for size in shape)
    return replace(step, operation=operation)


def _named_within(graph: Graph, name: str) -> Graph:
    """Return the graph whose unnamed attention has the name of the layer around it."""
    for attention in attentions_of(graph):
        if "/" not in attention.symbol.name:
            graph = _named(graph, attention.symbol, f"{name}/")
    return graph


def _named(graph: Graph, symbol: Any, name: str) -> Graph:
    new = {id(symbol): symbol_like(symbol, name)}
    return graph.rewritten([step.renamed(new) for step in graph.steps], new)
