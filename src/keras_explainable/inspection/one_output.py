"""Models of one of several outputs."""

from dataclasses import replace
from typing import Any

from keras_explainable.common.structures import first_of, flatten
from keras_explainable.inspection.exposed_layers import is_exposed
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.inspection.wrapped_model import class_name
from keras_explainable.network.graph import Graph
from keras_explainable.network.trace_model import first_key, trace
from keras_explainable.types import Model


def output_model(model: Model, output: str | int) -> Model:
    """Return a model of one of several outputs, sharing ``model``'s layers.

    Args:
        model: Functional Keras model, which is only read.
        output: Key of the output if the outputs are a dictionary; else its position, or
            the name of the layer that computes it.

    Raises:
        ValueError: If there is no such output, or the outputs are not known.

    Example::

        maps = ke.smoothgrad(ke.inspection.output_model(model, "label"), x, y)
    """
    graph = trace(model)
    found = {} if graph is None else _outputs_by_name(graph)
    if graph is None:
        raise ValueError(
            "`model` must be Functional, so that its outputs are known; received "
            f"{class_name(model)}. A function for `y`, such as `lambda outputs: "
            f"outputs[{output!r}]`, is given all of them."
        )
    if output not in found:
        raise ValueError(
            f"`output` must be one of the model's outputs {[*found]}; received "
            f"{output!r}."
        )
    return rewritten_model(model, _with_one_output, output)


def _with_one_output(graph: Graph, output: str | int) -> Graph:
    return replace(graph, outputs=_outputs_by_name(graph)[output]).pruned()


def _outputs_by_name(graph: Graph) -> dict[str | int, Any]:
    if isinstance(graph.outputs, dict):
        return graph.outputs
    flat = flatten(graph.outputs)
    producers = [(graph.producer(symbol), symbol) for symbol in flat]
    names = [step.operation.name for step, _ in producers if step]
    own = {  # A layer that computes several outputs has the name of none.
        step.operation.name: symbol
        for step, symbol in producers
        if step and names.count(step.operation.name) == 1
    }
    return {**dict(enumerate(flat)), **own}


def first_output_model(model: Model) -> Model:
    """Return a model of the first of several outputs.

    What only the others do is left out. They stay if they are layers to show.
    """
    key = first_key(model)
    if key is not None:
        return rewritten_model(model, _with_one_output, key)
    several = len(getattr(model, "outputs", None) or ()) > 1
    keeps = not several or is_exposed(model)
    return model if keeps else rewritten_model(model, _with_first_output)


def _with_first_output(graph: Graph) -> Graph:
    return replace(graph, outputs=first_of(graph.outputs)).pruned()
