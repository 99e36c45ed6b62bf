"""Finding the logits of a model, without touching the model."""

import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras

from keras_explainable.compilation import forget
from keras_explainable.graph import Graph, GraphModel, Step, trace, twin
from keras_explainable.types import Model

#: Activations at the end of a classifier that turn logits into probabilities.
PROBABILITIES = ("softmax", "sigmoid")


def get_logits_layer(model: Model, name: str | None = None) -> keras.Layer:
    """Return the layer that computes the logits: the last one with a kernel.

    Args:
        model: Keras model; nested models are searched from their end, too.
        name: the name of the layer, if it is known.

    Raises:
        ValueError: if there is no such layer.
    """
    for layer in _layers_from_the_end(model):
        if layer.name == name or (name is None and hasattr(layer, "kernel")):
            return layer
    wanted = f"named {name!r}" if name else "with a kernel (Dense or convolution)"
    raise ValueError(
        f"`model` must have a layer {wanted}; received {model.name!r} with layers "
        f"{[layer.name for layer in _layers_from_the_end(model)][::-1]}."
    )


def _layers_from_the_end(model: Model) -> list[keras.Layer]:
    layers = []
    for layer in reversed(model.layers):
        nested = _layers_from_the_end(layer) if hasattr(layer, "layers") else [layer]
        layers.extend(nested)
    return layers


def logits_model(model: Model) -> Model:
    """Return a model of ``model``'s logits, sharing its layers and weights.

    A final softmax or sigmoid is taken off, be it an ``activation=`` or a layer of
    its own, at the end of a Functional, Sequential or nested model. ``model`` itself
    is only read. A model without one, or whose graph is not known (a subclassed
    model), is returned as it is.

    The result follows later changes of the weights, is made once per model, and goes
    when the model goes.
    """
    return _rewritten(model, _without_probabilities)


def runnable_model(model: Model) -> Model:
    """Return a model that computes ``model``'s outputs as they are.

    It is ``model`` itself, unless a layer's ``activation`` was replaced by a name
    (``model.layers[-1].activation = "linear"``), which Keras itself cannot call.
    """
    return _rewritten(model, _with_activations_resolved)


_Rewrite = Callable[[Graph], Graph]
_models: weakref.WeakKeyDictionary[Model, dict[_Rewrite, Any]]
_models = weakref.WeakKeyDictionary()
_lock = threading.RLock()


def _rewritten(model: Model, rewrite: _Rewrite) -> Model:
    """Return the model of the rewritten graph, made anew if the structure changed."""
    if not isinstance(model, keras.Model):
        return model
    now = structure(model)
    with _lock:
        made = _models.setdefault(model, {})
        if rewrite in made and made[rewrite][0] != now:
            forget(model)  # What was compiled has the old structure in it.
            del made[rewrite]
        if rewrite not in made:
            made[rewrite] = now, _rewrite(model, rewrite)
        return made[rewrite][1] or model


def structure(model: Model) -> list[Any]:
    """Return what a copy of the model is made for: when it changes, the copy is old.

    Activations may be replaced at any time, variables by ``enable_lora`` and the like.
    """
    activations = [_activation(layer) for layer in _layers_from_the_end(model)]
    return [*activations, *map(id, model.variables)]


def _rewrite(model: Model, rewrite: _Rewrite) -> GraphModel | None:
    """Return the rewritten model, or None, which keeps nothing alive, if equal."""
    graph = trace(model)
    if graph is None or (changed := rewrite(graph)) is graph:
        return None
    return GraphModel(changed, model.name)


def _without_probabilities(graph: Graph) -> Graph:
    graph = _with_activations_resolved(graph)
    outputs = keras.tree.flatten(graph.outputs)
    logits = [_logits(graph.producer(output), output) for output in outputs]
    if all(
        tensor is output for (tensor, _), output in zip(logits, outputs, strict=True)
    ):
        return graph
    tensors = [tensor for tensor, _ in logits]
    steps = [step for _, step in logits if step is not None]
    structure = keras.tree.pack_sequence_as(graph.outputs, tensors)
    return Graph(graph.inputs, (*graph.steps, *steps), structure).pruned()


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
        return _with_activation(operation, keras.activations.linear)
    return operation


def _with_activations_resolved(graph: Graph) -> Graph:
    if not any(isinstance(_activation(step.operation), str) for step in graph.steps):
        return graph
    return replace(graph, steps=tuple(_resolved(step) for step in graph.steps))


def _resolved(step: Step) -> Step:
    name = _activation(step.operation)
    if not isinstance(name, str):
        return step
    function = keras.activations.get(name)
    return replace(step, operation=_with_activation(step.operation, function))


def _activation(operation: Any) -> Any:
    return getattr(operation, "activation", None)


def _activation_name(operation: Any) -> str:
    activation = _activation(operation)
    return str(getattr(activation, "__name__", type(activation).__name__)).lower()


def _with_activation(layer: keras.Layer, activation: Any) -> keras.Layer:
    copy = twin(layer)
    copy.__dict__["activation"] = activation
    return copy
