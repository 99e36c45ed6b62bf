"""Models of what to explain: one output, a function of the outputs, the top units."""

import re
import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import zip_longest
from threading import get_ident
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.common.structures import (
    first_of,
    flatten,
    is_float,
    map_structure,
)
from keras_explainable.execution.compilation import accepts_parameter
from keras_explainable.execution.function_key import function_key
from keras_explainable.execution.model_preparation import unwrapped
from keras_explainable.inspection.coupled_rows import warn_of_coupled_rows
from keras_explainable.inspection.logits import rewritten_model, targeted_models
from keras_explainable.inspection.wrapped_model import (
    WrappedModel,
    calls_of,
    class_name,
)
from keras_explainable.network.dense_arrays import dtype_name
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.layers_of_model import model_state
from keras_explainable.network.model_inputs import shape_text
from keras_explainable.network.trace_model import (
    first_key,
    structure_of_only_output,
    trace,
)
from keras_explainable.types import Model, Tensor

#: Function from the outputs of a model, and maybe data, to (B,) or (B, units).
Target = Callable[..., Tensor]


def target_model(model: Model, target: Target) -> Model:
    """Return a model of ``target(outputs)``, sharing ``model``'s layers.

    This explains outputs of other shapes than (B, units) and quantities that are no
    unit of the model: a region of a segmentation, the contrast of two classes, or one
    of several outputs.

    Args:
        model: Keras model, which is only read.
        target: Function of what ``model`` returns, to a tensor (B,) or (B, units). It
            uses ``keras.ops`` or operations of the backend.

    Raises:
        ValueError: If the function fails, or returns something else.

    Example::

        cat = lambda outputs: keras.ops.mean(outputs[..., 3], axis=(1, 2))
        maps = ke.explain(method, ke.inspection.target_model(model, cat), x)
    """
    keyed = _keyed(target, model)
    targeted = _targeted(model, keyed)
    return TargetedModel(lambda: model, keyed.layer) if targeted is model else targeted


def targeted_model(
    model: Model, target: Target, like: Model, data: Sequence[np.ndarray] = ()
) -> Model:
    """Return a model of ``target(outputs, *data)``.

    It is made once for functions that compute the same.

    Args:
        model: Model as in ``target_model``, or a rewritten copy, which returns its only
            output bare.
        target: Function as in ``target_model``, also of data if there is any.
        like: Model that the function was written for.
        data: Arrays (N, ...), of which each sample has a row. The model uses the first
            until ``set_data`` sets another.
    """
    keyed = _keyed(target, like, data)
    targeted = _targeted(model, keyed)
    if targeted is not model:
        return targeted
    if not isinstance(model, keras.Model):
        return TargetedModel(lambda: model, keyed.layer)
    # Made once, too, by a reference, as the cache must not hold the model.
    make = partial(TargetedModel, weakref.ref(model), keyed.layer)
    return targeted_models.get(model, keyed, make, model_state(model))


def _targeted(model: Model, keyed: "_Keyed") -> Model:
    return rewritten_model(model, _with_target, keyed, cache=targeted_models)


@dataclass(frozen=True)
class _Keyed:
    """A layer that counts as equal to another with the same key."""

    key: Hashable
    layer: "TargetLayer" = field(compare=False)


def _keyed(target: Target, like: Model, data: Sequence[np.ndarray] = ()) -> _Keyed:
    structure = structure_of_only_output(like)
    layer = TargetLayer(target, structure, [array[:1] for array in data])
    return _Keyed(_key(layer), layer)


def _key(layer: "TargetLayer") -> Hashable:
    """Return a key, equal for layers that compute the same; unique if that is unknown.

    Each thread sets data of its own, so that it needs a layer of its own.
    """
    key = function_key(layer.target) or object()
    shapes = tuple((tuple(x.shape), x.dtype) for x in layer.data)
    form = repr(map_structure(lambda symbol: None, layer.structure))
    return (key, form, shapes, get_ident() if shapes else 0)


def _with_target(graph: Graph, keyed: _Keyed) -> Graph:
    """Return the graph with the layer at its end."""
    layer = keyed.layer
    symbol = _output_symbol(layer, graph.outputs)
    step = Step(layer, (graph.outputs,), {}, symbol)
    steps = (*graph.steps, step)
    return replace(graph, steps=steps, outputs=symbol).pruned()


def _output_symbol(layer: "TargetLayer", outputs: Any) -> Any:
    sized = outputs
    for row in layer.data:
        sized = map_structure(partial(_sized_like, tuple(row.shape)), sized)
    with own_errors(layer, _shapes(outputs)):  # While tracing, sizes may be made up.
        symbol = layer.compute_output_spec(sized)
    if not layer.data:
        warn_of_coupled_rows(layer.call, sized)
    return symbol


def _sized_like(row: tuple[int, ...], symbol: Any) -> Any:
    """Return an output with sizes of data (1, ...) at each of its positions."""
    shape = tuple(symbol.shape)
    if len(row) < max(len(shape) - 1, 2):  # It has none, such as a label.
        return symbol
    sizes = zip_longest(shape[1:], row[1 : len(shape)])
    known = [size or other for size, other in sizes]
    return keras.KerasTensor((shape[0], *known), symbol.dtype)


def _shapes(outputs: Any) -> str:
    return ", ".join(shape_text(x.shape) for x in flatten(outputs))


@contextmanager
def own_errors(layer: "TargetLayer", shapes: str | None = None) -> Iterator[None]:
    """Raise the error of a target's function without Keras' words around it.

    Args:
        layer: Layer that calls the function.
        shapes: Shapes of the outputs, as text; None for those that it was given last.
    """
    layer.error = None
    try:
        yield
    except Exception:  # The user's function may raise anything.
        reason = layer.error  # Keras may have made another error of it.
        if reason is None:
            raise
        raise ValueError(
            f"{type(reason).__name__} in the function given for `y`, which received "
            f"outputs of shape {shapes or layer.shapes}: {_text(reason)}\n"
            "`y` must be a function of the model's outputs to real numbers (B,) or "
            "(B, units). Data of each image belong to "
            "`ke.targets.Target(function, data)`."
        ) from reason


def _text(error: Exception) -> str:
    return str(error.args[0]) if error.args else str(error)


def target_layer(model: Model) -> "TargetLayer":
    """Return the layer at the end of a targeted model."""
    layer: TargetLayer = model.layers_used[-1]
    return layer


def check_no_target(model: Model) -> None:
    """Raise ValueError if the model ends in a target."""
    layers = getattr(model, "layers_used", None) or [None]
    if isinstance(layers[-1], TargetLayer):
        raise ValueError(
            "`y` must be units for a method that contrasts them with the model's other "
            "units; received a function or target."
        )


def set_data(model: Model, rows: Sequence[np.ndarray]) -> None:
    """Set the data, one row (1, ...) of each array, that a targeted model uses."""
    for variable, row in zip(target_layer(model).data, rows, strict=True):
        variable.assign(row)


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
    """Return a model of the first entry, if the outputs are a dictionary."""
    key = first_key(model)
    return model if key is None else rewritten_model(model, _with_one_output, key)


class TargetLayer(keras.layers.Layer):
    """A layer that calls a function of a model's outputs.

    Attributes:
        data: One row (1, ...) of data for each further argument of the function.
        error: What the function raised when it was last called, if it did.
        shapes: The shapes of the outputs that it was given then, as text.
    """

    def __init__(self, target: Target, structure: Any, data: Sequence[np.ndarray]):
        super().__init__(name="y", autocast=False, trainable=False)
        self.supports_masking = True  # Else, Keras warns of a layer of ours.
        self.target, self.structure = target, structure
        self.error: Exception | None = None
        self.shapes = ""
        self.data = [self._variable(row) for row in data]
        self.built = True

    def _variable(self, row: np.ndarray) -> keras.Variable:
        options = {"dtype": row.dtype.name, "trainable": False}
        return self.add_weight(row.shape, lambda *_, **__: row, **options)

    def _is_of_package(self) -> bool:
        module = getattr(unwrapped(self.target), "__module__", None) or ""
        return module.startswith("keras_explainable.")

    def _takes_mask(self) -> bool:
        return self._is_of_package() and accepts_parameter(self.target, "mask")

    def call(self, outputs: Any, mask: Any = None) -> Tensor:
        """Return what the function returns, as (B, units).

        Args:
            outputs: What the model returns.
            mask: Which steps of the outputs count, as Keras passes it on; for losses.
        """
        self.error = None
        try:
            return self._units(outputs, mask)
        except Exception as error:
            self.error = error
            self.shapes = _shapes(outputs)
            raise

    def _units(self, outputs: Any, mask: Any) -> Tensor:
        if self.structure is not None and not keras.tree.is_nested(outputs):
            outputs = keras.tree.pack_sequence_as(self.structure, [outputs])
        if keras.tree.is_nested(outputs) and self._is_of_package():
            raise ValueError(
                "it is of one output, and the model has several; "
                "`ke.targets.output(name, then=...)` chooses one"
            )
        first = first_of(outputs)
        rows, count = first.shape[0], ops.shape(first)[0]
        data = [ops.repeat(x.value, count, axis=0) for x in self.data]
        masked = mask is not None and self._takes_mask()
        units = self.target(outputs, *data, **({"mask": mask} if masked else {}))
        shape = _static_shape(units)
        if len(shape) not in (1, 2):
            raise ValueError(f"it returns {units!r}, not a tensor (B,) or (B, units)")
        other_rows = None not in (rows, shape[0]) and rows != shape[0]
        if None in shape[1:] or other_rows:
            raise ValueError(  # The number of rows is not named: it may be made up.
                f"it returns {shape_text(shape)}, not one row for each sample with a "
                "number of units that is known beforehand"
            )
        if not is_float(units):
            raise TypeError(f"it returns {dtype_name(units)}, which has no derivative")
        return ops.expand_dims(units, -1) if len(units.shape) == 1 else units


def _static_shape(x: Any) -> tuple[int | None, ...]:
    try:
        return tuple(getattr(x, "shape", ()))
    except ValueError as error:  # TensorFlow does not always know the number of axes.
        raise ValueError(
            "it returns a tensor of unknown shape, which `keras.ops.reshape` sets"
        ) from error


class TargetedModel(WrappedModel):
    """A function of the outputs of a model whose layers are not known."""

    @property
    def calls(self) -> list[Step]:
        """The model, and the function of its outputs."""
        return [*calls_of(self.model()), Step(target_layer(self), (), {}, None)]

    def call(self, inputs: Any, training: bool = False) -> Tensor:
        """Return what the function returns, as (B, units)."""
        return target_layer(self)(self.model()(inputs, training=training))


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
