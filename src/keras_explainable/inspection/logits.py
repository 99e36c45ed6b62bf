"""The logits of a model, and other rewritten models, cached while the model lives."""

import operator
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras

from keras_explainable.common.structures import first_of
from keras_explainable.execution.compilation import invalidate
from keras_explainable.execution.model_cache import ModelCache
from keras_explainable.network.activations import (
    activation_of,
    is_identity,
    with_activation,
)
from keras_explainable.network.corrected_derivatives import (
    with_corrected_derivatives,
)
from keras_explainable.network.fixed_batch import required_rows
from keras_explainable.network.foreign_models import check_is_keras_model
from keras_explainable.network.graph import (
    Graph,
    GraphModel,
    Step,
    substituted,
    symbol_like,
)
from keras_explainable.network.layers_of_model import model_state
from keras_explainable.network.operation_kinds import (
    LINEAR,
    computes_as,
    runs_code_of_keras,
)
from keras_explainable.network.time_distributed import operation_on_frames
from keras_explainable.network.trace_model import trace
from keras_explainable.types import Model

#: Final activations of a classifier, which turn logits into probabilities.
PROBABILITIES = ("softmax", "sigmoid")


def logits_model(model: Model) -> Model:
    """Return a model of ``model``'s logits, sharing its layers and weights.

    It leaves out a final softmax or sigmoid, given as an ``activation=`` or as a layer,
    at the end of a Functional, Sequential or nested model. ``model`` is only read. It
    is returned as it is if it has no such ending or if its graph is not known (a
    subclassed model).

    The result follows later changes of the weights. It is made once per model and freed
    with it.
    """
    return rewritten_model(model, _with_logits)


def runnable_model(model: Model) -> Model:
    """Return a model that computes ``model``'s outputs and can be called.

    This is ``model`` itself, unless the ``activation`` of a layer was set to a name
    (``model.layers[-1].activation = "linear"``), which Keras cannot call.
    """
    return rewritten_model(model, with_resolved_activations)


def logits_of_all_outputs(model: Model) -> Model:
    """Return a model like ``logits_model`` that has the logits of each output."""
    return rewritten_model(model, _with_all_logits)


# Functions compiled for a model that has changed since still have its old structure.
_models = ModelCache(capacity=32, outdated=invalidate)

#: Models that end in a function of the user's, which may be another for each call.
targeted_models = ModelCache(capacity=4, outdated=invalidate)


def rewritten_model(
    model: Model,
    rewrite: Callable[..., Graph],
    *args: Hashable,
    kind: type[GraphModel] = GraphModel,
    cache: ModelCache = _models,
) -> Model:
    """Return the model of ``rewrite(graph, *args)``, cached while ``model`` lives.

    It is an instance of ``kind`` and is made again when the structure of ``model``
    changes. ``model`` is returned if its graph is not known or ``rewrite`` returns the
    same graph.
    """
    if not isinstance(model, keras.Model):
        check_is_keras_model(model)
        return model
    key = rewrite, args, kind
    make = partial(_trace_and_rewrite, model, *key)
    return cache.get(model, key, make, model_state(model)) or model


def _trace_and_rewrite(
    model: Model,
    rewrite: Callable[..., Graph],
    args: tuple[Hashable, ...],
    kind: type[GraphModel],
) -> GraphModel | None:
    """Return the rewritten model, or None (the cache must not hold ``model``)."""
    graph = trace(model)
    if graph is None:
        return None
    rewritten = rewrite(graph, *args)
    if rewritten is not graph:
        rewritten = with_corrected_derivatives(rewritten)
    suits = required_rows(graph.inputs, graph.steps, graph.outputs) is None
    if rewritten is graph and suits and not _has_nested_input(model):
        return None
    return kind(rewritten, model.name)


def _has_nested_input(model: Model) -> bool:
    """Return whether the only input is nested: Keras warns when it is given bare."""
    if isinstance(model, GraphModel) or len(model.inputs) > 1:
        return False
    return keras.tree.is_nested(getattr(model, "input", None))


def _with_logits(graph: Graph) -> Graph:
    """Return the graph with logits as its first output; other outputs stay."""
    return _with_logits_of(graph, [first_of(graph.outputs)])


def _with_all_logits(graph: Graph) -> Graph:
    return _with_logits_of(graph, keras.tree.flatten(graph.outputs))


def _with_logits_of(graph: Graph, outputs: Sequence[Any]) -> Graph:
    graph = with_resolved_activations(graph)
    logits = dict[int, Any]()
    rewritten = graph
    for output in outputs:
        rewritten, logits[id(output)] = with_logits_of(rewritten, output)
    if all(id(logits[id(output)]) == id(output) for output in outputs):
        return graph
    return replace(rewritten, outputs=substituted(graph.outputs, logits)).pruned()


def with_logits_of(graph: Graph, output: Any) -> tuple[Graph, Any]:
    """Return the graph with a step for the logits of an output, and these logits."""
    logits, step = _logits(graph, output)
    steps = (*graph.steps, step) if step else graph.steps
    return replace(graph, steps=steps), logits


def gives_probabilities(graph: Graph) -> bool:
    """Return whether the first output is that of a softmax or sigmoid."""
    graph = with_resolved_activations(graph)
    output = keras.tree.flatten(graph.outputs)[0]
    return with_logits_of(graph, output)[1] is not output


def _logits(graph: Graph, output: Any) -> tuple[Any, Step | None]:
    """Return the logits of ``output``, and the step that computes them if it is new."""
    step = graph.producer(output)
    if step is None or keras.tree.flatten(step.outputs) != [output]:
        return output, None
    if is_identity(step):
        logits, new = _logits(graph, step.reads[0])
        return (output, None) if logits is step.reads[0] else (logits, new)
    if _is_probability_layer(step.operation):
        return keras.tree.flatten(step.args)[0], None
    operation = _logits_operation(step.operation)
    if operation is step.operation:
        return output, None
    tensor = symbol_like(output)
    return tensor, Step(operation, step.args, step.kwargs, tensor)


def _is_probability_layer(operation: Any) -> bool:
    """Return whether it is a softmax or sigmoid layer, or one of ``keras.ops``."""
    is_activation = type(operation) is keras.layers.Activation
    return _is_probability(operation.activation if is_activation else type(operation))


def _is_probability(function: Any) -> bool:
    """Return whether it is the softmax or sigmoid of Keras or a backend.

    A user's function or class of that name may do something else.
    """
    known = function if hasattr(function, "__name__") else type(function)
    package = str(getattr(known, "__module__", "")).partition(".")[0]
    name = str(known.__name__).lower()
    return name in PROBABILITIES and package in ("keras", "tensorflow", "jax", "torch")


def _logits_operation(operation: Any) -> Any:
    if isinstance(operation, keras.Model):
        return logits_model(operation)
    if isinstance(operation, keras.layers.SpectralNormalization):
        inner = _logits_operation(operation.layer)
        return operation if inner is operation.layer else inner
    if _ends_in_activation(operation) and _is_probability(activation_of(operation)):
        return with_activation(operation, keras.activations.linear)
    return operation


def _ends_in_activation(operation: Any) -> bool:
    """Return whether it is a layer of Keras' that ends in its ``activation``."""
    layer = operation_on_frames(operation)
    return computes_as(layer, *LINEAR, keras.layers.EinsumDense)


def with_resolved_activations(graph: Graph) -> Graph:
    """Return the graph with functions in place of names of activations."""
    steps = [*map(_resolve, graph.steps)]
    if all(map(operator.is_, steps, graph.steps)):
        return graph
    return replace(graph, steps=tuple(steps))


def _resolve(step: Step) -> Step:
    name = activation_of(step.operation)
    known = runs_code_of_keras(operation_on_frames(step.operation))
    if not (known and isinstance(name, str)):
        return step
    function = keras.activations.get(name)
    return replace(step, operation=with_activation(step.operation, function))
