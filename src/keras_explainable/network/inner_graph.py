"""What happens inside a step: the operations of a user's own layer, or those on frames.

Symbols have the shapes of the tensors that the step is given, as a layer may ask for
the number of rows.
"""

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import keras
from keras import layers

from keras_explainable.common.structures import map_structure
from keras_explainable.network.corrected_derivatives import with_corrected_derivatives
from keras_explainable.network.graph import Graph, Step, symbol_like
from keras_explainable.network.layers_of_user import calls_function, is_of_user
from keras_explainable.network.operations_of_call import graph_of_call
from keras_explainable.network.time_distributed import rows_of_frames
from keras_explainable.network.trace_model import inlined


class InnerGraph(NamedTuple):
    """The graph of a step's operations, which may run on each frame.

    Attributes:
        graph: Graph of the step's arguments.
        frame_axes: Number of axes that are rows for the graph, besides the first.
    """

    graph: Graph
    frame_axes: int = 0

    def taken(self, structure: Any) -> Any:
        """Return what the step reads or writes in the form that the graph has."""
        return map_structure(partial(rows_of_frames, axes=self.frame_axes), structure)


def inner_graph(step: Step, args: tuple[Any, ...]) -> InnerGraph | None:
    """Return the operations inside a step, or None if they are not known.

    They have the corrected derivatives if the step has. A layer that has derivatives of
    its own does not show them here.

    Args:
        step: Step of a graph.
        args: Tensors that it is given.
    """
    found = _inner_graph(step, args) if step.is_plain() and step.reads else None
    if found is None:
        return None
    graph = inlined(found.graph)
    if step.implementation is None:
        return found._replace(graph=replace(graph, derivatives="framework"))
    return found._replace(graph=with_corrected_derivatives(graph))


def _inner_graph(step: Step, args: tuple[Any, ...]) -> InnerGraph | None:
    operation = step.operation
    if type(operation) is layers.TimeDistributed:
        return _graph_of_frames(operation, *args)
    if not is_of_user(operation) and not calls_function(operation):
        return None
    graph = graph_of_call(operation, args, step.kwargs)
    return None if graph is None else InnerGraph(graph)


def _graph_of_frames(layer: keras.Layer, x: Any) -> InnerGraph:
    """Return the graph of what a TimeDistributed does to each frame."""
    frames = symbol_like(rows_of_frames(x, 1))
    outputs = layer.layer.compute_output_spec(frames)
    step = Step(layer.layer, (frames,), {}, outputs)
    return InnerGraph(Graph((frames,), (step,), outputs), frame_axes=1)
