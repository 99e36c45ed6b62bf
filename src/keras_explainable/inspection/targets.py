"""Models of a function of a model's outputs, and which units to explain of them."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from keras_explainable.network.graph import Graph, GraphModel, Step
from keras_explainable.network.trace_model import structure_of_only_output, trace
from keras_explainable.types import Model, Tensor

#: Returns what is to be explained, (B,) or (B, units), of the outputs of a model.
Target = Callable[[Any], Tensor]


def target_model(model: Model, target: Target) -> Model:
    """Return a model of ``target(outputs)``, sharing ``model``'s layers.

    For outputs that are not units (B, units), or for a unit that the model has not: a
    region of a segmentation, the contrast of two classes, one of several outputs.

    Args:
        model: any Keras model, which is only read.
        target: function of what ``model`` returns, in ``keras.ops`` or the backend's
            own operations, to (B,) or (B, units).

    Example::

        cat = lambda outputs: keras.ops.mean(outputs[..., 3], axis=(1, 2))
        maps = ke.explain(method, ke.inspection.target_model(model, cat), x)
    """
    return targeted_model(model, target, like=model)


def targeted_model(model: Model, target: Target, like: Model) -> Model:
    """Return a model of ``target(outputs)``, given outputs as ``like`` gives them.

    Args:
        model: as in ``target_model``, or a copy that gives its only output bare.
        target: as in ``target_model``.
        like: the model that the target was written for.
    """
    graph = trace(model)
    if graph is None:
        return _Targeted(model, target)
    layer = _Target(_of_bare(target, like))
    symbol = _symbol(layer, graph.outputs)
    step = Step(layer, (graph.outputs,), {}, symbol)
    return GraphModel(
        Graph(graph.inputs, (*graph.steps, step), symbol).pruned(), model.name
    )


def _of_bare(target: Target, like: Model) -> Target:
    """Return a function of the only output itself that the model gives in a tree."""
    tree = structure_of_only_output(like)
    if tree is None:
        return target
    return lambda output: target(keras.tree.pack_sequence_as(tree, [output]))


def _symbol(layer: "_Target", outputs: Any) -> Any:
    try:
        return layer.compute_output_spec(outputs)
    except Exception as error:  # Of any kind: the function is the user's.
        raise ValueError(
            "`y` must be a function of the model's outputs to (B,) or (B, units); "
            f"received one that does not take them: {error}"
        ) from error


def output_model(model: Model, output: str | int) -> Model:
    """Return a model of one of several outputs, sharing ``model``'s layers.

    Args:
        model: a Functional Keras model, which is only read.
        output: its key, where the outputs are a dictionary; the name of the layer that
            writes it; or its position.

    Raises:
        ValueError: if there is no such output, or the outputs are not known.

    Example::

        maps = ke.smoothgrad(ke.inspection.output_model(model, "label"), x, y)
    """
    graph = trace(model)
    found = {} if graph is None else _outputs_by_name(graph)
    if graph is None or output not in found:
        raise ValueError(
            "`model` must be Functional, and `output` one of its outputs "
            f"{[*found]}; received {type(model).__name__} and {output!r}."
        )
    return GraphModel(replace(graph, outputs=found[output]).pruned(), model.name)


def _outputs_by_name(graph: Graph) -> dict[str | int, Any]:
    flat = keras.tree.flatten(graph.outputs)
    found: dict[str | int, Any] = dict(enumerate(flat))
    if isinstance(graph.outputs, dict):
        return found | graph.outputs
    makers = [(graph.producer(symbol), symbol) for symbol in flat]
    return found | {step.operation.name: symbol for step, symbol in makers if step}


class _Target(keras.layers.Layer):
    """A function of a model's outputs, with units on the last axis."""

    def __init__(self, target: Target):
        super().__init__(name="target", autocast=False, trainable=False)
        self.target = target

    def call(self, outputs: Any) -> Tensor:
        """Return what is to be explained (B, units)."""
        found = self.target(outputs)
        if len(getattr(found, "shape", ())) not in (1, 2):
            raise ValueError(f"not a tensor (B,) or (B, units), but {found!r}")
        return ops.expand_dims(found, -1) if len(found.shape) == 1 else found


class _Targeted(keras.Model):
    """A model whose layers are not known, and a function of its outputs."""

    def __init__(self, model: Model, target: Target):
        super().__init__(name=model.name)
        self.model, self.target = model, _Target(target)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Return what is to be explained (B, units)."""
        return self.target(self.model(inputs, training=training))


def top_count(y: Any) -> int:
    """Return how many of the best units ``y`` names; 0 if it is not a name."""
    if not isinstance(y, str):
        return 0
    found = re.fullmatch("top([1-9][0-9]{0,6})", "top1" if y == "predicted" else y)
    if found is None:
        raise ValueError(
            f"`y` must be units, a function, 'predicted' or 'top3'; received {y!r}."
        )
    return int(found[1])


def top_units(outputs: Tensor, count: int) -> Tensor:
    """Return the units of the largest outputs (B, count), the largest first."""
    if count > outputs.shape[-1]:
        raise ValueError(
            f"`y` must ask for at most the {outputs.shape[-1]} units of the model; "
            f"received 'top{count}'."
        )
    return ops.cast(ops.top_k(outputs, count)[1], "int32")
