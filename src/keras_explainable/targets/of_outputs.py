"""Targets of the outputs or of inner layers, the same for all images."""

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

from keras import ops

from keras_explainable.common import checks
from keras_explainable.inspection.exposed_layers import layer_model
from keras_explainable.inspection.one_output import output_model
from keras_explainable.targets.target import Target
from keras_explainable.types import Tensor


def units(*indices: int, logits: bool = True) -> Target:
    """Return the target of the same units for all images.

    Args:
        *indices: Units to explain, each with a map of its own.
        logits: False for their probabilities.
    """
    for index in indices:
        checks.integer("indices", index, 0)
    if not indices:
        raise ValueError("`indices` must hold at least one unit; received none.")
    return Target(partial(_units, indices=indices), logits=logits)


def contrast(a: int, b: int, *, logits: bool = True) -> Target:
    """Return the target of the difference of two units, f_a - f_b.

    Args:
        a: Unit whose evidence counts as positive.
        b: Unit whose evidence counts as negative.
        logits: False for the difference of their probabilities.
    """
    checks.integer("a", a, 0)
    checks.integer("b", b, 0)
    return Target(partial(_contrast, a=a, b=b), logits=logits)


def output(
    name_or_index: str | int, then: Target | Callable[..., Tensor] | None = None
) -> Target:
    """Return the target of one of several outputs of the model.

    Args:
        name_or_index: Key of the output if the outputs are a dictionary; else its
            position, or the name of the layer that computes it.
        then: Target or function of that output alone; None for all of its units.

    Example::

        maps = ke.smoothgrad(model, x, ke.targets.output("age"))
        maps = ke.gradcam(
            model, x, ke.targets.output("label", then=ke.targets.units(3))
        )
    """
    inner = then if isinstance(then, Target) else Target(then or _itself)

    def view(model: Any) -> Any:
        return inner.view(output_model(model, name_or_index))

    target = copy.copy(inner)
    target.view = view
    return target


def neuron(layer: Any, index: int | tuple[int, ...]) -> Target:
    """Return the target of an inner unit, or of a channel of a layer.

    Args:
        layer: Layer of the model, or its name, also within nested models;
            {"name": ..., "node": k} is the k-th of its calls.
        index: Channel, whose mean over all positions is explained; or the position of
            one unit, such as (row, column, channel).

    Reference: Erhan et al., 2009, Visualizing higher-layer features of a deep network
    """
    for each in index if isinstance(index, tuple) else (index,):
        checks.integer("index", each, 0)
    target = Target(
        partial(_neuron, index=index), view=partial(layer_model, layer=layer)
    )
    target.has_positions = isinstance(index, tuple)
    return target


def _itself(outputs: Tensor) -> Tensor:
    return outputs


def _units(outputs: Tensor, indices: tuple[int, ...]) -> Tensor:
    _check_units(outputs, max(indices))
    return ops.take(outputs, list(indices), axis=-1)


def _contrast(outputs: Tensor, a: int, b: int) -> Tensor:
    _check_units(outputs, max(a, b))
    return outputs[..., a] - outputs[..., b]


def _check_units(outputs: Tensor, largest: int) -> None:
    if largest >= outputs.shape[-1]:
        raise ValueError(
            f"units must be below {outputs.shape[-1]}, their number; received {largest}"
        )


def _neuron(values: Tensor, index: int | tuple[int, ...]) -> Tensor:
    if isinstance(index, tuple):
        _check_position(values, index)
        return values[(slice(None), *index)]
    _check_units(values, index)
    spatial = tuple(range(1, len(values.shape) - 1))
    channel = values[..., index]
    return ops.mean(channel, axis=spatial) if spatial else channel


def _check_position(values: Tensor, index: tuple[int, ...]) -> None:
    shape = tuple(values.shape[1:])
    inside = len(index) == len(shape) and all(
        size is None or at < size for at, size in zip(index, shape, strict=True)
    )
    if not inside:
        raise ValueError(
            f"`index` must be a position in values of shape {shape}; received {index}"
        )
