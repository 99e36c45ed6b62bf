"""Run an exposed network and record the statistics of its nonlinearities on the way.

Where operations run one by one, statistics are computed as soon as their values are
known, and the values are freed. A ReLU may then overwrite its input, which saves as
much memory again.
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
from keras_explainable.methods.slopes import linearized_network
from keras_explainable.methods.slopes.linearized_network import StepStatistics
from keras_explainable.methods.slopes.nonlinearities import Nonlinearity, relu_max_value
from keras_explainable.network.graph import Graph, GraphModel, Step, unread_after
from keras_explainable.network.operation_kinds import LINEAR
from keras_explainable.types import Tensor

#: Layers whose output is in memory of its own.
_WRITERS = (*LINEAR, layers.BatchNormalization)

#: Values by the ``id`` of their symbols, and sums by the index of their nonlinearity.
_Outcome = tuple[dict[int, Tensor], dict[int, list[Tensor]]]


@dataclass(frozen=True)
class _Stage:
    """A step of the graph, and what is done in its place and after it.

    Attributes:
        step: The step.
        relu_max: The maximum of a ReLU that may overwrite its input; None otherwise.
        ready: The nonlinearities that can be recorded then, by their indices.
        done: The symbols that no later step reads.
    """

    step: Step
    relu_max: float | None
    ready: dict[int, Nonlinearity]
    done: set[int]

    def run(self, values: dict[int, Tensor], weights: Tensor) -> _Outcome:
        """Return the step's outputs, and the sums of a nonlinearity that runs it."""
        for index, one in self.ready.items():
            if one.runs_step:
                outputs, sums = one.run(weights, values[id(one.step.reads[0])])
                return {id(one.step.outputs): outputs}, {index: sums}
        if self.relu_max is not None:
            x = values[id(self.step.reads[0])]
            if not hasattr(x, "_keras_mask"):  # The mask would be lost.
                return {id(self.step.outputs): backend.relu(x, self.relu_max)}, {}
        return self.step.run(values), {}


def run_and_record(
    model: GraphModel, inputs: Tensor, weights: Tensor
) -> tuple[Tensor, StepStatistics]:
    """Return outputs (R, units), and the statistics of each nonlinearity.

    The statistics are sums over copies (groups, ...), through which no derivatives go.

    Args:
        model: An exposed model.
        inputs: The noisy copies (R, ...).
        weights: Weights of the copies (R / groups, groups).
    """
    values = {id(model.inputs[0]): inputs}
    sums: dict[int, list[Tensor]] = {}
    for stage in _stages(model):
        outputs, new = stage.run(values, weights)
        values |= outputs
        ready = {n: one for n, one in stage.ready.items() if n not in new}
        sums |= new | _statistic_sums(ready, values, weights)
        for symbol in stage.done:
            del values[symbol]
    first = linearized_network.first_symbol(model.graph)
    return values[first], [sums[n] for n in sorted(sums)]


def _statistic_sums(
    ready: dict[int, Nonlinearity], values: dict[int, Tensor], weights: Tensor
) -> dict[int, list[Tensor]]:
    """Return the sums of the statistics of the nonlinearities, computed together."""

    def all_sums(prepared: StepStatistics, weights: Tensor) -> StepStatistics:
        pairs = zip(ready.values(), prepared, strict=True)
        return [one.statistic_sums(weights, *its_values) for one, its_values in pairs]

    prepared = [_prepared(one, values) for one in ready.values()]
    sums = backend.fused(all_sums)(prepared, weights) if ready else []
    return dict(zip(ready, sums, strict=True))


def _prepared(nonlinearity: Nonlinearity, values: dict[int, Tensor]) -> list[Tensor]:
    """Return the prepared values without derivatives; floats as float32."""
    recorded = (values[id(symbol)] for symbol in nonlinearity.recorded)
    constant = [_without_derivatives(x) for x in recorded]
    prepared = nonlinearity.prepared(*constant)
    return [ops.cast(x, "float32") if is_float(x) else x for x in prepared]


def _without_derivatives(x: Tensor) -> Tensor:
    """Return the value without derivatives; integers as floats."""
    return ops.stop_gradient(x) if is_float(x) else ops.cast(x, "float32")


_cache = ModelCache(capacity=1)


def _stages(model: GraphModel) -> list[_Stage]:
    return _cache.get(model, None, partial(_make_stages, model))


def _make_stages(model: GraphModel) -> list[_Stage]:
    graph, original = model.graph, linearized_network.original_graph(model)
    nonlinear = linearized_network.nonlinearities(original)
    reads = [{*map(id, step.reads)} for step in graph.steps]
    ready: list[dict[int, Nonlinearity]] = [{} for _ in graph.steps]
    for index, position in enumerate(_recording_positions(graph, nonlinear)):
        ready[position][index] = nonlinear[index]
        reads[position] |= {*map(id, nonlinear[index].recorded)}
    first, times = linearized_network.first_symbol(graph), graph.times_read()
    once = {symbol for symbol in times if times[symbol] == 1} - {first}
    relu_maxima = [_in_place_relu_max(step, once, original) for step in graph.steps]
    return [*map(_Stage, graph.steps, relu_maxima, ready, unread_after(reads, {first}))]


def _recording_positions(graph: Graph, nonlinear: Sequence[Nonlinearity]) -> list[int]:
    """Return the index of the step after which each nonlinearity is recorded."""
    if not backend.RUNS_EAGERLY:  # A single program for all of them compiles faster.
        return [len(graph.steps) - 1] * len(nonlinear)
    written = {id(symbol): 0 for symbol in keras.tree.flatten(graph.inputs)}
    for position, step in enumerate(graph.steps):
        written |= {id(x): position for x in keras.tree.flatten(step.outputs)}
    return [max(written[id(symbol)] for symbol in each.recorded) for each in nonlinear]


def _in_place_relu_max(step: Step, once: Container[int], graph: Graph) -> float | None:
    """Return the maximum of a ReLU that may overwrite its input; None for other steps.

    The input must have no other reader. Nonlinearities that record it do not count, as
    they have done so before.

    Args:
        step: Any step.
        once: The symbols that are read once, and that are not the output.
        graph: The graph with the model's own layers.
    """
    relu_max = relu_max_value(step.operation)
    if relu_max not in (6.0, math.inf) or not backend.RUNS_EAGERLY:
        return None
    [read] = step.reads
    same_dtype = is_float(read) and read.dtype == step.outputs.dtype
    in_place = id(read) in once and same_dtype and _owns_memory(read, graph)
    return relu_max if in_place else None


def _owns_memory(symbol: keras.KerasTensor, graph: Graph) -> bool:
    """Whether the symbol's producer writes to memory of its own."""
    producer = graph.producer(symbol)
    if producer is None:
        return False
    kind = type(producer.operation)
    # The sum of a single tensor is that tensor itself.
    return kind in _WRITERS or (kind is layers.Add and len(producer.reads) > 1)
