"""Images of one batch as the network takes them, and why others cannot be explained."""

import io
from collections.abc import Callable, Collection, Iterator
from typing import Any

import keras
import numpy as np

from keras_explainable.network.model_inputs import symbolic_inputs
from keras_explainable.types import Model

#: Function of what a column holds, to an image (H, W, C).
Prepare = Callable[[Any], Any]


def decoded(value: Any) -> Any:
    """Return an image (H, W, 3) of the bytes of a file; arrays are images already."""
    if not isinstance(value, bytes):
        return value
    return keras.utils.img_to_array(keras.utils.load_img(io.BytesIO(value)))


class ImageBatch:
    """The images of a batch that can be explained, in groups of one shape.

    Args:
        values: What the data set holds for each image.
        prepare: Function of one of them to an image.
        model: Model with one input.

    Attributes:
        failures: Why each image cannot be explained; "" if it can.
    """

    def __init__(self, values: Collection[Any], prepare: Prepare, model: Model) -> None:
        shape = _image_shape(model)
        self.failures = [""] * len(values)
        self._images: dict[int, np.ndarray] = {}
        for number, value in enumerate(values):
            try:
                self._images[number] = _checked(prepare(value), shape)
            except Exception as error:  # Whatever a damaged file makes a decoder raise.
                text = " ".join(str(error).split()) or type(error).__name__
                self.failures[number] = text[:300]

    def groups(self) -> Iterator[tuple[list[int], np.ndarray]]:
        """Yield positions in the batch, with their images of one shape (N, H, W, C)."""
        shapes: dict[Any, list[int]] = {}
        for number, image in self._images.items():
            shapes.setdefault(image.shape, []).append(number)
        for numbers in shapes.values():
            yield numbers, np.stack([self._images[number] for number in numbers])


def _image_shape(model: Model) -> tuple[int | None, ...] | None:
    """Return the shape of one image; None if the model does not say.

    Raises:
        ValueError: If the model has several inputs.
    """
    inputs = keras.tree.flatten(symbolic_inputs(model))
    if len(inputs) > 1:
        raise ValueError(
            "`model` must have one input, which `image_column` holds; received "
            f"{len(inputs)} inputs."
        )
    first = inputs[0] if inputs else None
    return None if first is None else tuple(first.shape[1:])


def _checked(image: Any, shape: tuple[int | None, ...] | None) -> np.ndarray:
    image = np.asarray(image)
    if image.dtype.kind not in "biuf":
        raise ValueError(f"must be an image; received {image.dtype}.")
    if shape is not None and not _fits(image.shape, shape):
        raise ValueError(f"must have the shape {shape}; received {image.shape}.")
    return image


def _fits(found: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(found) == len(shape) and all(
        side in (None, own) for own, side in zip(found, shape, strict=True)
    )
