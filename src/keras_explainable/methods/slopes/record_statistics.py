"""A run of an exposed network that tells on its way what its nonlinearities' slopes are.

Where operations run one by one, what nonlinearities watch is told as soon as it is there, and
goes; so a ReLU may overwrite what it reads, which saves as much memory again.
"""

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from functools import partial

import keras
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.common.structures import is_float
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.methods.slopes.linearized_network import (
    StepStatistics,
    nonlinearities,
    original_graph,
)
from keras_explainable.methods.slopes.nonlinearities import Nonlinearity, relu_max_value
from keras_explainable.network.graph import (
    Graph,
    GraphModel,
    Step,
    by_symbol,
    unread_after,
)
from keras_explainable.network.operation_kinds import LINEAR
from keras_explainable.types import Tensor

#: Layers that write to memory of their own.
_WRITERS = (*LINEAR, layers.BatchNormalization)


#: Values by the ``id`` of their symbols, and sums by the number of their nonlinearity.
_Ran = tuple[dict[int, Tensor], dict[int, list[Tensor]]]


@dataclass(frozen=True)
class _Stage:
    """A step, and what is to be done with it and after it.

    Attributes:
        limit: where the ReLU ends that may overwrite what it reads; None of any other.
        runs: the nonlinearity that runs it, if there is one, by its number.
        ready: the other nonlinearities that can be statistics, likewise.
        done: symbols that nothing reads any more.
    """

    step: Step
    limit: float | None
    runs: dict[int, Nonlinearity]
    ready: dict[int, Nonlinearity]
    done: set[int]

    def run(self, values: dict[int, Tensor], weights: Tensor) -> _Ran:
        """Return what the step writes, and what is told by the nonlinearity that runs it."""
        for number, nonlinearity in self.runs.items():
            [x] = (values[id(symbol)] for symbol in nonlinearity.step.reads)
            written, statistics = nonlinearity.run(weights, x)
            return by_symbol(nonlinearity.step.outputs, written), {number: statistics}
        if self.limit is not None:
            [x] = (values[id(symbol)] for symbol in self.step.reads)
            if not hasattr(x, "_keras_mask"):  # Which it would lose.
                return by_symbol(self.step.outputs, backend.relu(x, self.limit)), {}
        return self.step.run(values), {}


def run_and_record(
    model: GraphModel, inputs: Tensor, weights: Tensor
) -> tuple[Tensor, StepStatistics]:
    """Return outputs (R, units), and what tells the slopes of each nonlinearity.

    That is summed over copies, (groups, ...), and no derivatives go through it.

    Args:
        model: an exposed one.
        inputs: (R, ...).
        weights: of the copies (R / groups, groups).
    """
    values = by_symbol(model.graph.inputs, (inputs,))
    sums: dict[int, list[Tensor]] = {}
    for stage in _stages(model):
        written, ran = stage.run(values, weights)
        values |= written
        ready = [*stage.ready.values()]
        statistics = _told(
            ready, [_still(nonlinearity, values) for nonlinearity in ready], weights
        )
        sums |= ran | dict(zip(stage.ready, statistics, strict=True))
        for symbol in stage.done:
            del values[symbol]
    return values[id(_first(model.graph))], [sums[n] for n in sorted(sums)]


def _still(nonlinearity: Nonlinearity, values: dict[int, Tensor]) -> list[Tensor]:
    """Return what a nonlinearity watches without derivatives; whole numbers as floats."""
    recorded = [values[id(symbol)] for symbol in nonlinearity.recorded]
    return [
        ops.stop_gradient(x) if is_float(x) else ops.cast(x, "float32")
        for x in recorded
    ]


def _told(
    made: Sequence[Nonlinearity], recorded: StepStatistics, weights: Tensor
) -> StepStatistics:
    """Return what nonlinearities tell of the values that they watch, in one go."""
    prepared = [
        [
            ops.cast(x, "float32") if is_float(x) else x
            for x in nonlinearity.prepared(*values)
        ]
        for nonlinearity, values in zip(made, recorded, strict=True)
    ]

    def statistic_sums(prepared: StepStatistics, weights: Tensor) -> StepStatistics:
        return [
            nonlinearity.statistic_sums(weights, *values)
            for nonlinearity, values in zip(made, prepared, strict=True)
        ]

    sums: StepStatistics = (
        backend.fused(statistic_sums)(prepared, weights) if made else []
    )
    return sums


_cache = ModelCache(capacity=1)


def _stages(model: GraphModel) -> list[_Stage]:
    return _cache.get(model, None, partial(_made, model.graph, original_graph(model)))


def _made(graph: Graph, own: Graph) -> list[_Stage]:
    made = nonlinearities(own)
    ready = _ready(graph, made)
    reads = [{*map(id, step.reads)} for step in graph.steps]
    for number, nonlinearity in zip(ready, made, strict=True):
        reads[number] |= {*map(id, nonlinearity.recorded)}
    first, times = id(_first(graph)), graph.times_read()
    once = {symbol for symbol in times if times[symbol] == 1} - {first}
    done = unread_after(reads, {first})
    return [
        _Stage(
            step,
            _limit(step, once, own),
            {k: made[k] for k in _at(number, ready) if made[k].runs},
            {k: made[k] for k in _at(number, ready) if not made[k].runs},
            done[number],
        )
        for number, step in enumerate(graph.steps)
    ]


def _at(number: int, ready: Sequence[int]) -> list[int]:
    return [k for k, each in enumerate(ready) if each == number]


def _ready(graph: Graph, made: Sequence[Nonlinearity]) -> list[int]:
    """Return after which step each nonlinearity is told."""
    if not backend.RUNS_EAGERLY:  # One program for all of it is compiled faster.
        return [len(graph.steps) - 1] * len(made)
    written = {id(symbol): 0 for symbol in keras.tree.flatten(graph.inputs)}
    for number, step in enumerate(graph.steps):
        written |= {id(x): number for x in keras.tree.flatten(step.outputs)}
    return [
        max(written[id(symbol)] for symbol in nonlinearity.recorded)
        for nonlinearity in made
    ]


def _limit(step: Step, once: Container[int], own: Graph) -> float | None:
    """Return where a ReLU ends that alone reads what it does; None for others.

    Bends, too, may watch that: they have been told.

    Args:
        step: any.
        once: the symbols that are read once, and not put out.
        own: the graph of the model's own layers.
    """
    limit = relu_max_value(step.operation)
    if limit not in (6.0, math.inf) or not backend.RUNS_EAGERLY:
        return None
    [read] = step.reads
    alike = is_float(read) and read.dtype == step.outputs.dtype
    return limit if id(read) in once and alike and _is_new(read, own) else None


def _is_new(symbol: keras.KerasTensor, graph: Graph) -> bool:
    """Whether what is written there is in memory of its own."""
    writer = graph.producer(symbol)
    if writer is None:
        return False
    kind = type(writer.operation)
    # A sum of one tensor is that itself.
    return kind in _WRITERS or (kind is layers.Add and len(writer.reads) > 1)


def _first(graph: Graph) -> keras.KerasTensor:
    return keras.tree.flatten(graph.outputs)[0]
