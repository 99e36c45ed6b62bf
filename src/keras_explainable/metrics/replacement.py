"""What takes the place of the hidden pixels of an input."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_explainable.common.structures import take_rows
from keras_explainable.metrics.linear_imputation import linear_imputation
from keras_explainable.metrics.random_draws import NOISE, generator
from keras_explainable.network.fill_values import as_fill
from keras_explainable.network.model_inputs import shape_text
from keras_explainable.network.shown_values import blurred_shown, mean_of_shown
from keras_explainable.sampling.schedule import Copies
from keras_explainable.types import Tensor

#: Baselines that are named.
NAMES = ("mean", "blur", "uniform", "noisy_linear")

#: Standard deviation of the noise of "noisy_linear", relative to the image's range.
NOISE_LEVEL = 0.01

#: Function of a chunk of copies and of what they hide, (R, ...), to values (R, ..., C).
Replacement = Callable[[Copies, Tensor], Tensor]


def replacement(
    baseline: Any,
    inputs: Tensor,
    ids: NDArray[np.int64],
    seed: int,
    shown: Tensor | None = None,
) -> Replacement:
    """Return the function that gives the values of hidden pixels.

    Args:
        baseline: A number, one for each channel (C,), an image (..., C), or a name:
            "mean" is the mean of each channel of the image; "blur" is the image
            without its details, blurred with a standard deviation of a tenth of its
            shorter side; "uniform" is uniform noise between the image's minimum and
            maximum; "noisy_linear" is the mean of the neighbours, see
            ``linear_imputation``, with a little noise.
        inputs: Inputs (B, ..., C).
        ids: Their ids (B,), which determine the noise.
        seed: Integer >= 0, of the noise.
        shown: Steps that no mask hides, (B, T, 1, ...), None for all. Other steps do
            not count for "mean", "blur" and "uniform".

    Raises:
        ValueError: If ``baseline`` is none of these.
    """
    _check_name(baseline, inputs)
    if isinstance(baseline, str) and baseline == "noisy_linear":
        return _noisy_linear(inputs, ids, seed)
    if isinstance(baseline, str):
        values = _named(baseline, inputs, ids, seed, shown)
    else:
        values = as_fill("baseline", baseline, inputs)
    values = ops.broadcast_to(ops.cast(values, inputs.dtype), inputs.shape)
    return lambda copies, hidden: take_rows(values, copies.image)


def _named(
    name: str,
    inputs: Tensor,
    ids: NDArray[np.int64],
    seed: int,
    shown: Tensor | None,
) -> Tensor:
    if name == "mean":
        return mean_of_shown(inputs, shown)
    if name == "blur":
        return blurred_shown(inputs, shown)
    if shown is not None:  # Values in the range of those that show.
        mean = mean_of_shown(ops.reshape(inputs, (*inputs.shape, 1)), shown[..., None])
        inputs = ops.where(shown, inputs, mean[..., 0])
    return _uniform(ops.convert_to_numpy(inputs), ids, seed)


def _check_name(baseline: Any, inputs: Tensor) -> None:
    if not isinstance(baseline, str):
        return
    if baseline not in NAMES:
        raise ValueError(
            "`baseline` must be a number, one for each channel, an image, or one of "
            f"{NAMES}; received {baseline!r}."
        )
    fits = {
        "mean": len(inputs.shape) > 2,
        "blur": len(inputs.shape) > 2,
        "noisy_linear": len(inputs.shape) == 4,
    }
    if not fits.get(baseline, True):
        raise ValueError(
            f"`baseline` must not be {baseline!r} unless the inputs are images; "
            f"received inputs of shape {shape_text(inputs.shape)}."
        )


def _uniform(
    inputs: NDArray[Any], ids: NDArray[np.int64], seed: int
) -> NDArray[np.float32]:
    values = [
        generator(NOISE, seed, image_id).uniform(x.min(), x.max(), x.shape)
        for x, image_id in zip(inputs, ids, strict=True)
    ]
    return np.array(values, "float32")


def _noisy_linear(inputs: Tensor, ids: NDArray[np.int64], seed: int) -> Replacement:
    images = ops.convert_to_numpy(inputs)

    def imputed(copies: Copies, hidden: Tensor) -> Tensor:
        masks = ops.convert_to_numpy(hidden)
        values = np.zeros((len(masks), *images.shape[1:]), "float32")
        for row in np.flatnonzero(copies.used):
            image = images[copies.image[row]]
            rng = generator(NOISE, seed, ids[copies.image[row]])
            noise = NOISE_LEVEL * np.ptp(image) * rng.normal(size=image.shape)
            values[row] = linear_imputation(image, masks[row]) + noise
        return ops.cast(ops.convert_to_tensor(values), inputs.dtype)

    return imputed
