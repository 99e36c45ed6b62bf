"""Models of what to explain: one output, a function of the outputs, the top units."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from keras_explainable.network.graph import Graph, GraphModel, Step
from keras_explainable.network.trace_model import structure_of_only_output, trace
from keras_explainable.types import Model, Tensor

#: Function from the outputs of a model to what is explained, (B,) or (B, units).
Target = Callable[[Any], Tensor]


def target_model(model: Model, target: Target) -> Model:
    """Return a model of ``target(outputs)``, sharing ``model``'s layers.

    This explains outputs of other shapes than (B, units) and quantities that are no
    unit of the model: a region of a segmentation, the contrast of two classes, or one
    of several outputs.

    Args:
        model: Keras model, which is only read.
        target: Function of what ``model`` returns, to a tensor (B,) or (B, units). It
            uses ``keras.ops`` or operations of the backend.

    Example::

        cat = lambda outputs: keras.ops.mean(outputs[..., 3], axis=(1, 2))
        maps = ke.explain(method, ke.inspection.target_model(model, cat), x)
    """
    return targeted_model(model, target, like=model)


def targeted_model(model: Model, target: Target, like: Model) -> Model:
    """Return a model of ``target(outputs)``, with outputs structured as in ``like``.

    Args:
        model: Model as in ``target_model``, or a rewritten copy, which returns its only
            output bare.
        target: Function as in ``target_model``.
        like: Model that the function was written for.
    """
    graph = trace(model)
    if graph is None:
        return _TargetedModel(model, target)
    layer = _TargetLayer(_taking_bare_output(target, like))
    symbol = _output_symbol(layer, graph.outputs)
    step = Step(layer, (graph.outputs,), {}, symbol)
    targeted = Graph(graph.inputs, (*graph.steps, step), symbol)
    return GraphModel(targeted.pruned(), model.name)


def _taking_bare_output(target: Target, like: Model) -> Target:
    """Return ``target``, but of the bare output if ``like`` nests its only output."""
    structure = structure_of_only_output(like)
    if structure is None:
        return target
    return lambda output: target(keras.tree.pack_sequence_as(structure, [output]))


def _output_symbol(layer: "_TargetLayer", outputs: Any) -> Any:
    try:
        return layer.compute_output_spec(outputs)
    except Exception as error:  # The user's function may raise anything.
        raise ValueError(
            "`y` must be a function of the model's outputs to (B,) or (B, units); "
            f"received one that fails on them: {error}"
        ) from error


def output_model(model: Model, output: str | int) -> Model:
    """Return a model of one of several outputs, sharing ``model``'s layers.

    Args:
        model: Functional Keras model, which is only read.
        output: Key of the output if the outputs are a dictionary, else the name of the
            layer that computes it; or its position.

    Raises:
        ValueError: If there is no such output, or the outputs are not known.

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
    producers = [(graph.producer(symbol), symbol) for symbol in flat]
    return found | {step.operation.name: symbol for step, symbol in producers if step}


class _TargetLayer(keras.layers.Layer):
    """A layer that calls a function of a model's outputs."""

    def __init__(self, target: Target):
        super().__init__(name="target", autocast=False, trainable=False)
        self.target = target

    def call(self, outputs: Any) -> Tensor:
        """Return what the function returns, as (B, units)."""
        units = self.target(outputs)
        if len(getattr(units, "shape", ())) not in (1, 2):
            raise ValueError(f"it returns {units!r}, not a tensor (B,) or (B, units)")
        return ops.expand_dims(units, -1) if len(units.shape) == 1 else units


class _TargetedModel(keras.Model):
    """A function of the outputs of a model whose layers are not known."""

    def __init__(self, model: Model, target: Target):
        super().__init__(name=model.name)
        self.model, self.target = model, _TargetLayer(target)

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Return what the function returns, as (B, units)."""
        return self.target(self.model(inputs, training=training))


def top_count(y: Any) -> int:
    """Return how many top units the text ``y`` asks for; 0 if it is not a text."""
    if not isinstance(y, str):
        return 0
    found = re.fullmatch("top([1-9][0-9]{0,6})", "top1" if y == "predicted" else y)
    if found is None:
        raise ValueError(
            "`y` must be units, a function, 'predicted' or a text such as 'top3'; "
            f"received {y!r}."
        )
    return int(found[1])


def top_units(outputs: Tensor, count: int) -> Tensor:
    """Return the units with the largest outputs, shape (B, count), largest first."""
    if count > outputs.shape[-1]:
        raise ValueError(
            f"`y` must ask for at most {outputs.shape[-1]} units, as the model has no "
            f"more; received 'top{count}'."
        )
    return ops.cast(ops.top_k(outputs, count)[1], "int32")
