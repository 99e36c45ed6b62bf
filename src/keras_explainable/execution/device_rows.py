"""Rows of a step, split over the devices of one machine."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import keras
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import (
    map_structure,
    row_count,
    with_last_again,
)
from keras_explainable.types import Model, Tensor


def divided_rows(tensors: Any, count: int) -> list[Any] | None:
    """Return the rows of each of ``count`` devices, padded with the last one.

    None if there are fewer rows than devices.
    """
    rows = row_count(tensors)
    if rows < count:
        return None
    each = -(-rows // count)

    def share(x: Tensor | None, number: int) -> Tensor | None:
        return None if x is None else x[number * each : (number + 1) * each]

    def padded(x: Tensor | None) -> Tensor | None:
        return None if x is None else with_last_again(x, each * count - rows)

    whole = map_structure(padded, tensors)
    return [map_structure(partial(share, number=n), whole) for n in range(count)]


def joined_rows(tensors: Any, *parts: Any) -> Any:
    """Return all rows of several structures of tensors, without the padding."""
    rows = row_count(tensors)
    return map_structure(lambda *own: ops.concatenate(own)[:rows], *parts)


def compiled_over_devices(
    function: Callable[..., Any],
    model: Model,
    sharing: Sequence[Callable[..., Any]] = (divided_rows, joined_rows),
) -> Callable[..., Any]:
    """Return ``backend.compiled`` of tensors that all devices share.

    These are the replicas of a model that was built in the scope of a
    ``tf.distribute.MirroredStrategy``, or the devices of `over_devices`.

    Args:
        function: Function of a model and tensors.
        model: The model.
        sharing: Function of the tensors and the number of replicas, to the arguments
            for each, or None; and function of the tensors and of what each replica
            returns, to what ``function`` returns.
    """
    return over_devices(backend.compiled_on_replicas(function, model, *sharing))


def over_devices(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a step of tensors (R, ...) whose rows all devices share.

    Tensors may be in structures, as those of several inputs. The devices are those of
    ``keras.distribution.set_distribution``, of which each has a copy of the weights;
    there are none but in JAX. A number of rows that they cannot share evenly is not
    split.
    """

    def split_step(*tensors: Any) -> Any:
        distribution = keras.distribution.distribution()
        if distribution is None:
            return step(*tensors)
        split = partial(_split, distribution=distribution)
        return step(*(map_structure(split, each) for each in tensors))

    return split_step


def _split(tensor: Tensor | None, distribution: Any) -> Tensor | None:
    if tensor is None:
        return None
    layout = distribution.get_data_layout(tensor.shape)
    sizes = dict(
        zip(layout.device_mesh.axis_names, layout.device_mesh.shape, strict=True)
    )
    if tensor.shape[0] % sizes.get(layout.axes[0], 1):
        return tensor
    return keras.distribution.distribute_tensor(tensor, layout)
