"""The layer whose output a class activation map shows if none is named."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import first_of, flatten
from keras_explainable.inspection.feature_tensors import (
    calls_at_positions,
    calls_with_features,
)
from keras_explainable.inspection.find_calls import last_spatial, tensors_of
from keras_explainable.inspection.scores_of_positions import scores_of_positions
from keras_explainable.inspection.token_grid import found_grid
from keras_explainable.network.attention_products import is_softmax
from keras_explainable.network.follow_positions import (
    ATTENTION,
    NORMALIZATIONS,
    positions_of,
)
from keras_explainable.network.graph import Graph, Step, ids, substituted
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.network.positions import Positions


def default_tensors(graph: Graph, calls: list[Step]) -> list[Any]:
    """Return what the last spatial layer outputs in each call, or tokens after it.

    Of a transformer, it is the input of the first normalization of the last block that
    has attention. If its blocks are layers of the user's, which cannot be looked into,
    it is the last of their outputs whose tokens in the image change the result.
    Scores that weigh features, and those that the model outputs for each position, are
    only taken if there is nothing else.

    Args:
        graph: Inlined graph.
        calls: All its calls, in order of execution.

    Raises:
        ValueError: If there is no such layer.
    """
    placed = calls_at_positions(graph, calls)
    features = calls_with_features(graph, placed)
    scores = scores_of_positions(graph)
    before = [call for call in features if scores.isdisjoint(ids(call.outputs))]
    for chosen in (before, features):
        with suppress(ValueError):
            return _tensors_among(graph, chosen)
    return _tensors_among(graph, placed)


def _tensors_among(graph: Graph, calls: list[Step]) -> list[Any]:
    """Return the same for some calls, maybe all."""
    shown = {each for call in calls for each in ids(call.outputs)}
    rank = max(len(x.shape) for x in flatten(graph.inputs))
    written = [x for step in graph.steps for x in flatten(step.outputs)]
    if not any(len(x.shape) == 3 < rank for x in written):
        return tensors_of(calls, last_spatial(calls, graph.inputs, any_rank=True))
    positions = positions_of(graph)
    behind = _behind_tokens(graph, positions)
    images = [
        x for x in calls if not _is_no_image(flatten(x.outputs)[0], positions, behind)
    ]
    try:
        spatial = tensors_of(calls, last_spatial(images, graph.inputs))
    except ValueError:
        if (tokens := _last_tokens(graph, graph.steps, positions, shown)) is not None:
            return [tokens]
        return tensors_of(calls, last_spatial(images, graph.inputs, any_rank=True))
    after = _steps_after(graph, spatial[-1])
    tokens = _last_tokens(graph, after, positions, shown)
    return spatial if tokens is None else [tokens]


def _behind_tokens(graph: Graph, positions: Mapping[int, Positions]) -> set[int]:
    """Return the ids of tensors that depend on tokens, and whose places are unknown."""
    found = set[int]()
    for step in graph.steps:
        for symbol in step.reads:
            if found & {id(symbol)} or _has_grid(symbol, positions):
                found |= ids(step.outputs)
    return found - positions.keys()


def _is_no_image(
    symbol: Any, positions: Mapping[int, Positions], behind_tokens: set[int]
) -> bool:
    """Return whether a tensor has other axes than an image, such as those of heads."""
    known = positions.get(id(symbol))
    if len(symbol.shape) <= 3:
        return False
    return id(symbol) in behind_tokens if known is None else known.channel_axis is None


def _steps_after(graph: Graph, tensor: Any) -> tuple[Step, ...]:
    for position, step in enumerate(graph.steps):
        if any(x is tensor for x in flatten(step.outputs)):
            return graph.steps[position + 1 :]
    return graph.steps


def _last_tokens(
    graph: Graph,
    steps: tuple[Step, ...],
    positions: Mapping[int, Positions],
    shown: set[int],
) -> Any:
    """Return the tokens of the last block among some steps; None without any.

    Only those whose ids are among ``shown`` count.
    """
    written = [x for step in steps for x in flatten(step.outputs) if id(x) in shown]
    tokens = [x for x in written if _has_grid(x, positions)]
    for step in filter(_is_attention, reversed(steps)):
        found = _input_of_block(graph, step, positions)
        if found is not None and any(found is x for x in tokens):
            return found
    tokens.reverse()
    tokens.sort(key=lambda x: x.shape[-1] == 1)  # Scores come last.
    return next((x for x in tokens if _matters(graph, x, positions)), None)


def _has_grid(symbol: Any, positions: Mapping[int, Positions]) -> bool:
    known = positions.get(id(symbol))
    found = None if known is None else found_grid(known)
    return found is not None and 1 not in found.grid


def _is_attention(step: Step) -> bool:
    """Return whether a step is attention, or the softmax in attention by operations."""
    by_function = keras_name(step.operation) == "DotProductAttention"
    return by_function or isinstance(step.operation, ATTENTION) or is_softmax(step)


def _input_of_block(
    graph: Graph, attention: Step, positions: Mapping[int, Positions]
) -> Any:
    """Return the input of the normalization before attention, or else of attention."""
    for step in _steps_before(graph, attention):
        if isinstance(step.operation, NORMALIZATIONS) and _has_grid(
            step.reads[0], positions
        ):
            return step.reads[0]
    own = attention.reads[0]
    is_scores = own.shape[-1] == 1  # Of pooling by attention.
    return own if _has_grid(own, positions) and not is_scores else None


def _steps_before(graph: Graph, step: Step) -> Iterator[Step]:
    """Yield the steps that a step depends on, the nearest first, within its block."""
    queue: list[Any] = list(step.reads)
    seen: set[int] = set()
    while queue:
        producer = graph.producer(queue.pop(0))
        if producer is None or id(producer) in seen or _joins_blocks(producer):
            continue
        seen.add(id(producer))
        yield producer
        queue += producer.reads


def _joins_blocks(step: Step) -> bool:
    """Return whether a step adds the result of a block to its input."""
    adds = isinstance(step.operation, layers.Add) or (
        keras_name(step.operation) == "Add"
    )
    shapes: Iterable[Any] = (tuple(x.shape) for x in step.reads)
    return adds and len(step.reads) > 1 and len({*shapes}) == 1


def _matters(graph: Graph, symbol: Any, positions: Mapping[int, Positions]) -> bool:
    """Return whether the tokens that have a place in the image change the output.

    After the last attention, only the class token may.
    """
    rng = np.random.default_rng(0)
    flat = flatten(graph.inputs)
    placed = positions[id(symbol)].numbers > 0
    try:
        with backend.eagerly(), backend.state_kept():
            inputs = [_random(rng, x) for x in flat]
            offset = _random(rng, symbol)
            offset = offset * ops.cast(placed, offset.dtype)
            known = dict(zip(map(id, flat), inputs, strict=True))
            packed = substituted(graph.inputs, known)
            outputs = [
                ops.convert_to_numpy(first_of(graph.run(packed, offsets)))
                for offsets in ({}, {id(symbol): offset})
            ]
    except Exception:  # Such as an input that takes no random numbers.
        return True
    return not np.array_equal(*outputs)


def _random(rng: np.random.Generator, symbol: Any) -> Any:
    values = rng.normal(size=(1, *(n or 1 for n in symbol.shape[1:])))
    return ops.cast(values, symbol.dtype)
