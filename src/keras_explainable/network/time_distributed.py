"""The layers inside a TimeDistributed, as steps of a graph of their own.

A ``TimeDistributed`` is a single step. To expose what happens inside it, it is replaced
by one step for each inner layer. All tensors keep their axes (B, T, ...), as each step
takes the frames for rows (B * T, ...) and gives them back.
"""

from dataclasses import replace
from typing import Any

import keras
from keras import layers, ops

from keras_explainable.common.structures import flatten, map_structure
from keras_explainable.network.graph import Graph, Step, substituted, symbols_in
from keras_explainable.network.trace_model import inlined_with_calls
from keras_explainable.types import Tensor


class PerFrame(keras.Layer):
    """Runs a step on every frame of tensors (B, T, ...)."""

    def __init__(self, step: Step):
        """Args: step on tensors (B, ...)."""
        super().__init__(name=step.operation.name, autocast=False)
        self.layer = step.operation  # Keras tracks its weights.
        self.step = step
        self.built = True

    def call(self, *tensors: Tensor) -> Any:
        """Return the outputs (B, T, ...) of the step for the tensors that it reads."""
        frames = [rows_of_frames(x, 1) for x in tensors]
        values = dict(zip(map(id, self.step.reads), frames, strict=True))
        outputs = substituted(self.step.outputs, self.step.run(values))
        return map_structure(lambda x: frames_of_rows(x, tensors[0], 1), outputs)


def rows_of_frames(x: Tensor, axes: int) -> Tensor:
    """Return a tensor (B, T, ...) as (B * T, ...), for any number of axes T."""
    return ops.reshape(x, (-1, *x.shape[1 + axes :])) if axes else x


def frames_of_rows(rows: Tensor, like: Tensor, axes: int) -> Tensor:
    """Return rows (B * T, ...) as (B, T, ...), with B and T of ``like``."""
    shape = (-1, *like.shape[1 : 1 + axes], *rows.shape[1:])
    return ops.reshape(rows, shape) if axes else rows


def frame_axes(operation: Any) -> int:
    """Return the number of axes after the batch that hold frames, such as time."""
    if isinstance(operation, PerFrame | layers.TimeDistributed):
        return 1 + frame_axes(operation.layer)
    return 0


def operation_on_frames(operation: Any) -> Any:
    """Return what an operation applies to each frame; itself if it knows no frames."""
    return operation_on_frames(operation.layer) if frame_axes(operation) else operation


def with_layers_on_frames(graph: Graph, calls: list[Step]) -> tuple[Graph, list[Step]]:
    """Return the graph with steps for the layers inside each TimeDistributed.

    A TimeDistributed that may receive a mask stays as it is.

    Args:
        graph: Inlined graph.
        calls: All its calls in order of execution, which are returned with those of the
            inner layers.
    """
    steps, inner_calls = list[Step](), dict[Any, list[Step]]()
    for step in graph.steps:
        inside = _inside(step) if _is_expandable(graph, step) else None
        inner, inner_calls[_key(step)] = inside or ((step,), [])
        steps += inner
    listed = [
        each for call in calls for each in (*inner_calls.get(_key(call), ()), call)
    ]
    return replace(graph, steps=tuple(steps)), listed


def flattened(graph: Graph) -> Graph:
    """Return the graph without nested models or frames, and without unused steps."""
    return with_layers_on_frames(*inlined_with_calls(graph))[0].pruned()


def _key(step: Step) -> tuple[int, int]:
    return id(step.operation), id(flatten(step.outputs)[0])


def _is_expandable(graph: Graph, step: Step) -> bool:
    is_wrapper = type(step.operation) is layers.TimeDistributed
    if not is_wrapper or not step.is_plain() or len(step.reads) != 1:
        return False
    before = replace(graph, outputs=step.reads[0]).pruned().steps
    return not any(_makes_mask(each.operation) for each in before)


def _makes_mask(operation: Any) -> bool:
    return isinstance(operation, layers.Masking) or getattr(
        operation, "mask_zero", False
    )


def _inside(step: Step) -> tuple[tuple[Step, ...], list[Step]] | None:
    """Return the steps and calls in place of a TimeDistributed; None if it has none."""
    outer = step.reads[0]
    inner, calls = with_layers_on_frames(*inlined_with_calls(graph_of_frame(step)))
    symbols = {id(x): _with_frames(x, outer) for x in symbols_in(_written(inner))}
    if id(inner.outputs) not in symbols or not all(x.reads for x in inner.steps):
        return None
    symbols |= {id(inner.inputs[0]): outer, id(inner.outputs): step.outputs}
    calls = [call.renamed(symbols) for call in calls]
    return tuple(_per_frame(each, symbols) for each in inner.steps), calls


def graph_of_frame(step: Step) -> Graph:
    """Return the graph of what a TimeDistributed does to each frame."""
    layer, symbol = step.operation.layer, step.reads[0]
    frame = keras.KerasTensor((None, *symbol.shape[2:]), dtype=symbol.dtype)
    output = layer.compute_output_spec(frame)
    return Graph((frame,), (Step(layer, (frame,), {}, output),), output)


def _written(graph: Graph) -> list[Any]:
    return [step.outputs for step in graph.steps]


def _with_frames(symbol: Any, outer: Any) -> keras.KerasTensor:
    shape = (*outer.shape[:2], *symbol.shape[1:])
    return keras.KerasTensor(shape, dtype=symbol.dtype, name=symbol.name)


def _per_frame(step: Step, symbols: dict[int, Any]) -> Step:
    reads = tuple(symbols[id(symbol)] for symbol in step.reads)
    return Step(PerFrame(step), reads, {}, substituted(step.outputs, symbols))
