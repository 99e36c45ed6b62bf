"""Axes other than those of (B, H, W, C) and (B, units), as parameters of methods.

Inputs may have several batch axes, such as videos (B1, B2, H, W, C), and units may lie
along another axis of the output, or along several. Both are rearranged to inputs
(B, ...) and units (B, K), which methods take, and the results are arranged back.
"""

import inspect
import math
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from inspect import Parameter
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_explainable.common.structures import flatten
from keras_explainable.inspection.logits import rewritten_model
from keras_explainable.network import output_units
from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.model_inputs import symbolic_inputs
from keras_explainable.types import Method, Model, Tensor


class Axes(NamedTuple):
    """The parameters, with the defaults of methods.

    Attributes:
        indices_axis: Axis of the model's outputs along which units are gathered, as in
            ``ke.inspection.gather_units``. Logits and maps end in the axes that it
            returns.
        indices_batch_dims: Number of first axes that ``y`` and the outputs share, as in
            ``ke.inspection.gather_units``.
        spatial_axis: Axes of the inputs between those of the batch and that of the
            channels: (-3, -2) for videos (B1, B2, H, W, C), which have a map (H, W) for
            each frame. None stands for all between the first and the last.
    """

    indices_axis: int = -1
    indices_batch_dims: int = -1
    spatial_axis: int | tuple[int, ...] | None = None

    @classmethod
    def taken_from(cls, params: dict[str, Any]) -> "Axes":
        """Return the parameters among those of a method, from which they are taken."""
        names = [name for name in cls._fields if name in params]
        return cls(**{name: params.pop(name) for name in names})


def along_axes(method: Method) -> Method:
    """Return ``method`` with the parameters of ``Axes``, which it does not see."""

    @wraps(method)
    def arranged_method(
        model: Model,
        inputs: Any,
        indices: Any = None,
        indices_axis: int = -1,
        indices_batch_dims: int = -1,
        spatial_axis: Any = None,
        **params: Any,
    ) -> Any:
        axes = Axes(indices_axis, indices_batch_dims, spatial_axis)
        if axes == Axes():
            return method(model, inputs, indices, **params)
        plan = arrange(axes, model, inputs, indices)
        logits, maps, *stats = method(plan.model, plan.inputs, plan.indices, **params)
        return plan.unfolded(logits, ops), plan.unfolded(plan.own(maps), ops), *stats

    arranged_method.__signature__ = _signature(method)  # type: ignore[attr-defined]
    return arranged_method


def _signature(method: Method) -> inspect.Signature:
    """Return the signature of a method with the parameters of ``Axes``."""
    every = inspect.signature(method).parameters.values()
    known = [each for each in every if each.name not in Axes._fields]
    own = axis_parameters(Parameter.POSITIONAL_OR_KEYWORD)
    return inspect.Signature(sorted([*known, *own], key=lambda each: each.kind))


def axis_parameters(kind: Any = Parameter.KEYWORD_ONLY) -> list[Parameter]:
    """Return the parameters of ``Axes`` as those of a function."""
    return [
        Parameter(name, kind, default=Axes._field_defaults[name], annotation=annotation)
        for name, annotation in Axes.__annotations__.items()
    ]


@dataclass(frozen=True)
class Plan:
    """A model, inputs and indices as methods take them, and the way back.

    Attributes:
        model: Model of inputs (R, ...) and outputs (R, units).
        inputs: Inputs (R, ...).
        indices: Units (R, M), or what the user gave in their place.
        lead: Batch axes of the user's inputs, whose product is R.
        frames: Number of axes after the first that are batch axes as well.
        rest: Axes of the units (R, *rest) that were flattened; None if none were.
    """

    model: Model
    inputs: Any
    indices: Any
    lead: tuple[int, ...] = ()
    frames: int = 0
    rest: tuple[int, ...] | None = None

    def wrapped(self, method: Method) -> Method:
        """Return the method with maps of each frame's own units, (R, T, h, w, K)."""
        return _of_frames(method, self.frames, self.rest) if self.frames else method

    def own(self, maps: Tensor) -> Tensor:
        """Return the maps (R, T, ..., K) of the units of each frame, given all."""
        return _own_maps(maps, self.frames, self.rest)

    def unfolded(self, values: Any, numpy: Any = np) -> Any:
        """Return values (R, ..., M) with the user's batch axes, and axes of units."""
        if self.rest is not None:
            frames = self.frames if len(values.shape) > 2 else 0
            last = self.rest[frames:]
            values = numpy.reshape(values, (*values.shape[:-1], *last))
        if len(self.lead) > 1:
            values = numpy.reshape(values, (*self.lead, *values.shape[1:]))
        return values


@lru_cache(maxsize=32)  # The same function is compiled once.
def _of_frames(method: Method, frames: int, rest: tuple[int, ...] | None) -> Method:
    @wraps(method)
    def of_frames(*args: Any, **params: Any) -> Any:
        logits, maps, *stats = method(*args, **params)
        return logits, _own_maps(maps, frames, rest), *stats

    return of_frames


def _own_maps(maps: Tensor, frames: int, rest: tuple[int, ...] | None) -> Tensor:
    """Return the entries of maps (R, T, ..., T, K) with equal T, (R, T, ..., K)."""
    if not frames or rest is None:
        return maps
    front = tuple(maps.shape[:-1])
    maps = ops.reshape(maps, (*front, *rest))
    for axis in range(1, 1 + frames):
        maps = ops.diagonal(maps, axis1=axis, axis2=len(front))
        maps = ops.moveaxis(maps, -1, axis)
    return ops.reshape(maps, (*front, -1))


def arrange(axes: Axes, model: Model, inputs: Any, indices: Any) -> Plan:
    """Return model, inputs and indices as methods take them.

    Args:
        axes: Parameters of a method.
        model: Model whose own outputs are explained.
        inputs: Inputs of the user.
        indices: Units of the user; None for all.

    Raises:
        ValueError: If the axes do not fit the inputs, the outputs or the indices.
    """
    if axes == Axes():
        return Plan(model, inputs, indices)
    if not hasattr(inputs, "shape"):
        inputs = np.asarray(inputs)
    batch, extra = _batch_axes(axes.spatial_axis, model, tuple(inputs.shape))
    lead = tuple(inputs.shape[: extra + 1])
    plan = Plan(model, _folded(inputs, lead), indices, lead, batch - extra - 1)
    if indices is not None and not isinstance(indices, str) and not callable(indices):
        indices = indices if hasattr(indices, "shape") else np.asarray(indices)
        given = tuple(indices.shape)
        indices = _folded(indices, lead) if given[: len(lead)] == lead else indices
        plan = replace(plan, indices=indices)
    own = [x - extra if x > 0 else x for x in axes[:2]]
    shape = tuple(model.outputs[0].shape[1:]) if getattr(model, "outputs", None) else ()
    if len(shape) == 1 or callable(indices):
        usual = {*own} <= {-1, 1} and not plan.frames
        return plan if usual else _refuse(axes, model)
    return _with_flat_units(plan, shape, own[0], own[1])


def _folded(values: Any, lead: tuple[int, ...]) -> Any:
    if len(lead) < 2:
        return values
    numpy = np if isinstance(values, np.ndarray) else ops
    return numpy.reshape(values, (-1, *values.shape[len(lead) :]))


def _batch_axes(spatial: Any, model: Model, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return the number of batch axes, and how many of them the model lacks."""
    rank, symbols = len(shape), flatten(symbolic_inputs(model))
    wanted = range(1, rank - 1) if spatial is None else spatial
    found = sorted(x % rank for x in ([wanted] if isinstance(wanted, int) else wanted))
    batch = found[0] if found else rank - 1  # Tokens and tables have no such axes.
    if batch < 1 or found != list(range(batch, rank - 1)):
        raise ValueError(
            "`spatial_axis` must be the axes between those of the batch and that of "
            f"the channels, the last one; received {spatial!r} for shape {shape}."
        )
    known = len(symbols) == 1 and symbols[0] is not None
    extra = rank - len(symbols[0].shape) if known else batch - 1
    if not 0 <= extra < batch:
        raise ValueError(
            "`x` must have the axes of the model's input, after further batch axes "
            f"that `spatial_axis` leaves; received shape {shape} and {spatial!r}."
        )
    return batch, extra


def _refuse(axes: Axes, model: Model) -> Plan:
    raise ValueError(
        "`indices_axis`, `indices_batch_dims` and `spatial_axis` must be axes of the "
        f"model's outputs and inputs; received {axes[0]}, {axes[1]} and {axes[2]} for "
        f"outputs {[tuple(x.shape) for x in getattr(model, 'outputs', None) or ()]}."
    )


def _with_flat_units(
    plan: Plan, shape: tuple[int, ...], axis: int, batch_dims: int
) -> Plan:
    """Return the plan with all outputs as units (R, M), chosen by their numbers."""
    flat = rewritten_model(plan.model, with_flat_units)
    if flat is plan.model or None in shape:
        raise ValueError(
            "`model` must be Functional or Sequential, with outputs of known size, for "
            f"outputs with several axes; received {plan.model.name!r}, {shape}."
        )
    rows = plan.inputs.shape[0]
    numbers = np.arange(math.prod(shape), dtype="int32").reshape(1, *shape)
    numbers = np.broadcast_to(numbers, (rows, *shape))
    indices = plan.indices
    if indices is not None and len(indices.shape) == 1 and batch_dims != 0:
        indices = indices[:, None]
    chosen = output_units.gather_units(numbers, indices, axis, batch_dims)
    rest = tuple(chosen.shape[1:])
    if plan.frames and rest[: plan.frames] != tuple(
        plan.inputs.shape[1 : 1 + plan.frames]
    ):
        _refuse(Axes(axis, batch_dims), plan.model)
    numpy = np if isinstance(chosen, np.ndarray) else ops
    flat_indices = numpy.reshape(chosen, (rows, -1))
    return replace(plan, model=flat, indices=flat_indices, rest=rest)


def with_flat_units(graph: Graph) -> Graph:
    """Return the graph with its first output as units (B, M)."""
    first, *others = keras.tree.flatten(graph.outputs)
    layer = keras.layers.Reshape((math.prod(first.shape[1:]),))
    outputs = keras.KerasTensor((first.shape[0], layer.target_shape[0]), first.dtype)
    step = Step(layer, (first,), {}, outputs)
    wanted = [outputs, *others] if others else outputs
    return replace(graph, steps=(*graph.steps, step), outputs=wanted)
