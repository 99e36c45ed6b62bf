"""A model of the logits of a model, and other rewritten ones, kept while it lives."""

from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import Any

import keras

from keras_explainable.execution.compilation import invalidate
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.inspection.find_layers import layers_reversed
from keras_explainable.network.activations import activation_of, with_activation
from keras_explainable.network.graph import Graph, GraphModel, Step
from keras_explainable.network.trace_model import trace
from keras_explainable.types import Model

#: Activations at the end of a classifier that turn logits into probabilities.
PROBABILITIES = ("softmax", "sigmoid")


def logits_model(model: Model) -> Model:
    """Return a model of ``model``'s logits, sharing its layers and weights.

    A final softmax or sigmoid is taken off, be it an ``activation=`` or a layer of
    its own, at the end of a Functional, Sequential or nested model. ``model`` itself
    is only read. A model without one, or whose graph is not known (a subclassed
    model), is returned as it is.

    The result follows later changes of the weights, is made once per model, and goes
    when the model goes.
    """
    return rewritten_model(model, _without_probabilities)


def runnable_model(model: Model) -> Model:
    """Return a model that computes ``model``'s outputs as they are.

    It is ``model`` itself, unless a layer's ``activation`` was replaced by a name
    (``model.layers[-1].activation = "linear"``), which Keras itself cannot call.
    """
    return rewritten_model(model, _with_activations_resolved)


#: What was compiled of a model that has changed has the old structure in it.
_models = ModelCache(capacity=32, outdated=invalidate)


def rewritten_model(
    model: Model,
    rewrite: Callable[..., Graph],
    *args: Hashable,
    kind: type[GraphModel] = GraphModel,
) -> Model:
    """Return the model of ``rewrite(graph, *args)``, kept while ``model`` lives.

    It is of the ``kind``, and made anew if the structure of ``model`` has changed. A
    model whose graph is not known, or is left as it is, is returned itself.
    """
    if not isinstance(model, keras.Model):
        return model
    key, now = (rewrite, args, kind), structure(model)
    make = partial(_rewritten, model, *key)
    return _models.get(model, key, make, now) or model


def structure(model: Model) -> list[Any]:
    """Return what a copy of the model is made for: when it changes, the copy is old.

    Activations may be replaced at any time, variables by ``enable_lora`` and the like.
    """
    activations = [activation_of(layer) for layer in layers_reversed(model)]
    return [*activations, *map(id, model.variables)]


def _rewritten(
    model: Model,
    rewrite: Callable[..., Graph],
    args: tuple[Hashable, ...],
    kind: type[GraphModel],
) -> GraphModel | None:
    """Return the rewritten model, or None, which keeps nothing alive, if equal."""
    graph = trace(model)
    if graph is None:
        return None
    changed = rewrite(graph, *args)
    if changed is graph and not _is_particular(model):
        return None
    return kind(changed, model.name)


def _is_particular(model: Model) -> bool:
    """Whether Keras warns when the one input is given, not a dictionary of it."""
    if isinstance(model, GraphModel) or len(model.inputs) > 1:
        return False
    return keras.tree.is_nested(getattr(model, "input", None))


def _without_probabilities(graph: Graph) -> Graph:
    """Return the graph with logits as its first output; others stay as they are."""
    graph = _with_activations_resolved(graph)
    first, *others = keras.tree.flatten(graph.outputs)
    logits, step = _logits(graph.producer(first), first)
    if logits is first:
        return graph
    steps = graph.steps if step is None else (*graph.steps, step)
    outputs = keras.tree.pack_sequence_as(graph.outputs, [logits, *others])
    return Graph(graph.inputs, steps, outputs).pruned()


def _logits(step: Step | None, output: Any) -> tuple[Any, Step | None]:
    """Return the logits behind ``output``, and the step that makes them, if new."""
    if step is None or keras.tree.flatten(step.outputs) != [output]:
        return output, None
    if _is_probability_layer(step.operation):
        return keras.tree.flatten(step.args)[0], None
    operation = _logits_operation(step.operation)
    if operation is step.operation:
        return output, None
    tensor = keras.KerasTensor(output.shape, dtype=output.dtype)
    return tensor, replace(step, operation=operation, outputs=tensor)


def _is_probability_layer(operation: Any) -> bool:
    """Whether it is nothing but a softmax or sigmoid: a layer, or one of keras.ops."""
    if isinstance(operation, keras.layers.Activation):
        return _activation_name(operation) in PROBABILITIES
    return type(operation).__name__.lower() in PROBABILITIES


def _logits_operation(operation: Any) -> Any:
    if isinstance(operation, keras.Model):
        return logits_model(operation)
    if _activation_name(operation) in PROBABILITIES:
        return with_activation(operation, keras.activations.linear)
    return operation


def _with_activations_resolved(graph: Graph) -> Graph:
    if not any(isinstance(activation_of(step.operation), str) for step in graph.steps):
        return graph
    return replace(graph, steps=tuple(_resolved(step) for step in graph.steps))


def _resolved(step: Step) -> Step:
    name = activation_of(step.operation)
    if not isinstance(name, str):
        return step
    function = keras.activations.get(name)
    return replace(step, operation=with_activation(step.operation, function))


def _activation_name(operation: Any) -> str:
    activation = activation_of(operation)
    return str(getattr(activation, "__name__", type(activation).__name__)).lower()
