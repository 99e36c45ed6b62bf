"""Output units of a model: checking, computing and gathering them."""

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import partial, wraps
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, first_of, row_count, take_rows
from keras_explainable.execution.chunks import padded_chunks
from keras_explainable.execution.compilation import accepts_parameter, compiled
from keras_explainable.network.dense_arrays import as_array, dtype_name
from keras_explainable.network.gather_along_axis import (
    check_entries,
    gather_along_axis,
    shape_of,
)
from keras_explainable.network.model_inputs import shape_text
from keras_explainable.network.trace_model import first_key
from keras_explainable.types import Method, Model, Tensor

_ARGMAX = (
    "For one-hot labels, pass `np.argmax(y, axis=-1)`; of a data set, "
    "`data.map(lambda x, y: (x, tf.argmax(y, axis=-1)))`."
)

_SEVERAL = (
    " For images with several labels, `ke.targets.Target(lambda outputs, labels: "
    "keras.ops.sum(outputs * labels, axis=-1), y.astype('float32'))` explains the sum "
    "of their scores."
)


_OF_REGIONS = (
    " `y=ke.targets.region(masks, channel)` explains a region of a segmentation."
)


def as_indices(indices: Any, batch: int, units: int | None) -> Tensor:
    """Return ``indices`` as an integer tensor (B, K); None means every unit.

    Args:
        indices: Integers of any dtype, shape (B, K), or (B,), which means (B, 1).
        batch: Number of inputs B.
        units: Number of units of the model; None if it is unknown.

    Raises:
        TypeError: If they are not integers.
        ValueError: If they are one-hot, their shape is wrong or a unit does not exist.
    """
    if indices is None and units is not None:
        indices = np.tile(np.arange(units), (batch, 1))
    indices = as_array("y", indices)
    shape = tuple(indices.shape)
    if "int" not in dtype_name(indices):
        hint = _no_integers(indices)
        raise TypeError(f"`y` must be integers; received {dtype_name(indices)}.{hint}")
    if len(shape) not in (1, 2) or shape[0] != batch or 0 in shape:
        repeated = "" if batch == 1 else f" * {batch}"
        hint = "" if shape else f" Pass a single unit as `[y]{repeated}`."
        hint = _OF_REGIONS if len(shape) > 2 else hint
        raise ValueError(
            f"`y` must have shape (B, K) or (B,) with B = {batch}, one row for "
            f"each input; received {shape_text(shape)}.{hint}"
        )
    _check_values(indices, units)
    tensor = ops.cast(ops.convert_to_tensor(indices), "int32")
    return ops.reshape(tensor, (batch, -1))


def _no_integers(values: Any) -> str:
    """Return what to pass in place of floats or booleans."""
    if len(values.shape) > 2:
        return _OF_REGIONS
    if len(values.shape) == 2:
        return f" {_ARGMAX}"
    if backend.is_symbolic(values) or "float" not in dtype_name(values):
        return ""
    numbers = ops.convert_to_numpy(values)
    whole = np.array_equal(numbers, np.rint(numbers))
    return " Pass units as `numpy.asarray(y, int)`." if whole else ""


def forward(
    model: Model,
    inputs: Nested,
    rows: int,
    compile_step: Callable[..., Callable[..., Any]] = compiled,
    output: Callable[[Model, Nested], Tensor] | None = None,
) -> Tensor:
    """Return the model's first output (B, units), computed ``rows`` rows at a time.

    Args:
        model: Model to run.
        inputs: Inputs (B, ...).
        rows: Largest number of inputs in one forward pass.
        compile_step: ``compiled``, or ``run_once`` if the model is run for these inputs
            only.
        output: ``first_output``, if it may have any shape; None for ``units_of``.
    """
    step = compile_step(output or units_of, model)
    total = row_count(inputs)
    outputs = [
        step(take_rows(inputs, positions))[: used.sum()]
        for positions, used in padded_chunks(total, min(rows, total))
    ]
    return ops.concatenate(outputs)


def units_of(model: Model, inputs: Nested) -> Tensor:
    """Return the units (B, units): the only or the first output of a model.

    Raises:
        ValueError: If the output has another shape.
    """
    return as_units(first_output(model, inputs), inputs)


def first_output(model: Model, inputs: Nested) -> Tensor:
    """Return the only or the first output of a model, of any shape."""
    outputs = model(inputs, training=False)
    several = isinstance(outputs, dict) and len(outputs) > 1
    key = first_key(model) if several else None
    return first_of(outputs if key is None else outputs[key])


def as_units(outputs: Any, inputs: Nested) -> Tensor:
    """Return the first of the outputs, checked as in ``units_of``.

    Some operations of TensorFlow lose the number of rows while it is compiling, which
    is therefore taken from the inputs (B, ...).
    """
    outputs = first_of(outputs)
    shape = getattr(outputs, "shape", None)
    if shape is None or len(shape) != 2:
        raise ValueError(
            "`model` must have one output of shape (B, units), or `y` be a function of "
            "its outputs that returns one, such as `ke.targets.region(masks, channel)` "
            "for a segmentation; received "
            f"{type(outputs).__name__ if shape is None else shape_text(shape)}."
        )
    return outputs if shape[0] else ops.reshape(outputs, (row_count(inputs), shape[1]))


def maps_of_units(
    outputs: Tensor, indices: Any, one_map: Callable[[Tensor], Nested]
) -> tuple[Tensor, Nested]:
    """Return the selected units (B, K), and a map for each unit on a last axis.

    Args:
        outputs: All units, shape (B, units).
        indices: Selected units, shape (B, K) or (B,); None for all of them.
        one_map: Function of the derivatives of one unit by the outputs, which are
            one-hot, shape (B, units).
    """
    batch, count = outputs.shape
    indices = as_indices(indices, batch, count)

    def map_of(k: Any) -> Tensor:
        unit = ops.take(indices, k, axis=1)
        return one_map(ops.one_hot(unit, count, dtype=outputs.dtype))

    maps = backend.stack_units(map_of, indices.shape[1])
    return gather_units(outputs, indices), maps


def gather_units(
    tensor: Tensor, indices: Any, axis: int = -1, batch_dims: int = -1
) -> Tensor:
    """Return the units of a tensor that indices select; all of them for None.

    For outputs (B, units) and indices (B, K), these are (B, K).

    Args:
        tensor: Tensor (..., units, ...).
        indices: Integers, as a rule (B, K).
        axis: Axis of the units.
        batch_dims: Number of first axes that tensor and indices share. A negative
            number counts from the axes of the indices: by default, it is all but the
            last. 0 selects the same units for all.

    Returns:
        A tensor of shape
        ``tensor.shape[:axis] + indices.shape[batch_dims:] + tensor.shape[axis + 1:]``.

    Raises:
        ValueError: If the axes do not fit, or a unit does not exist.
    """
    recorded = _recorded.get()  # Autograph cannot transform a walrus.
    if recorded is not None:
        recorded.append(tensor)
    if indices is None:
        return tensor
    rank, own = len(tensor.shape), len(shape_of(indices))
    if rank == own == 2 and axis in (-1, 1) and batch_dims in (-1, 1):
        check_entries(indices, tensor.shape[1])
        return ops.take_along_axis(tensor, indices, axis=-1)
    return gather_along_axis(tensor, indices, axis, batch_dims)


_recorded: ContextVar[list[Tensor] | None] = ContextVar("_recorded", default=None)


def with_outputs(method: Method) -> Callable[..., tuple[Tensor, ...]]:
    """Return ``method`` with a third result, all outputs of the model (B, units).

    ``gather_units`` records them; they are computed for a method that does not call it.
    """
    run = partial(_with_outputs, method)
    if not accepts_parameter(method, "rows"):
        return run  # A partial, so that equal methods share one compilation.
    return wraps(method)(lambda *args, **params: run(*args, **params))


def _with_outputs(
    method: Method, model: Model, inputs: Tensor, *args: Any, **params: Any
) -> tuple[Tensor, ...]:
    recorded: list[Tensor] = []
    context = copy_context()  # A copy needs no reset.
    context.run(_recorded.set, recorded)
    logits, maps = context.run(method, model, inputs, *args, **params)
    return logits, maps, recorded[-1] if recorded else units_of(model, inputs)


def count_units(model: Model) -> int | None:
    """Return the size of the model's last output axis; None if it is unknown."""
    outputs = getattr(model, "outputs", None)
    return outputs[0].shape[-1] if outputs else None


def _check_values(indices: Any, units: int | None) -> None:
    if backend.is_symbolic(indices):
        return
    values = ops.convert_to_numpy(indices) if ops.is_tensor(indices) else indices
    low, high = int(values.min()), int(values.max())
    if low < 0 or (units is not None and high >= units):
        count = "the number of units" if units is None else units
        raise ValueError(
            f"`y` must be units of the model, at least 0 and below {count}; "
            f"received {low if low < 0 else high}.{_only_unit(units, values)}"
        )
    if _are_labels(values, units):
        one_hot = ((values == 1).sum(axis=-1) == 1).all()
        name = "one-hot" if one_hot else "multi-hot"
        raise ValueError(
            f"`y` must be the indices of units; received {name} rows, which "
            "would be read as the units 0 and 1. "
            f"{_ARGMAX}{'' if one_hot else _SEVERAL}"
        )


def _only_unit(units: int | None, values: np.ndarray) -> str:
    """Return what to do with labels 0 and 1 of a model that has one unit."""
    labels = units == 1 and np.isin(values, (0, 1)).all()
    hint = (
        " The only unit, which speaks for label 1, is explained if `y` is left out; "
        "`y=lambda outputs: -outputs[:, 0], logits=True` explains label 0."
    )
    return hint if labels else ""


def _are_labels(values: np.ndarray, units: int | None) -> bool:
    """Whether (B, K) are one-hot or multi-hot rows over all units.

    For two units, [0, 1] and [1, 0] are taken for both units, in this order: nobody
    asks for one unit twice, as longer rows would.
    """
    width = values.shape[-1]
    if values.ndim < 2 or width < 3 or width != (units or width):
        return False
    return bool(np.isin(values, (0, 1)).all())
