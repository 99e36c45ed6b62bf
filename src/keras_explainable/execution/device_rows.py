"""Rows of a step, split over the devices of one machine."""

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from keras_explainable.common.structures import map_structure
from keras_explainable.types import Tensor


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
