"""Gaussian noise as a pure function of (seed, image, repetition)."""

import secrets
from functools import cache
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.types import Tensor
from keras_explainable.warning import warn

#: Sigma as a fraction of an image's range under which smoothing does next to nothing.
NEGLIGIBLE_LEVEL = 0.002

#: The id of an image that only fills up a batch.
PADDING = -1


def fresh_seed() -> int:
    """Return a seed nobody used before, from the operating system's entropy."""
    return secrets.randbits(63)


def keys(seed: int, ids: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return one random key (R, 2), uint32, for each pair of image id and repetition.

    It does not depend on the other rows: not on batch size, chunk size or order.
    """
    # Words of fixed width first, so that no two triples share their sequence.
    words = [
        np.asarray(a, "uint64").view("uint32").reshape(-1, 2) for a in (ids, draws)
    ]
    rows = np.concatenate(words, axis=1).tolist()
    sequences = [np.random.SeedSequence([*row, seed]) for row in rows]
    return np.stack([sequence.generate_state(2) for sequence in sequences])


def derived_ids(keys: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return an id (R,) for each noisy copy, for a method that draws noise too."""
    ids = (keys[:, 0].astype("int64") << 31) | (keys[:, 1] >> 1)
    return np.where(used, ids, PADDING)


def scale(inputs: Tensor, noise: float, noise_level: float | None) -> np.ndarray:
    """Return sigma (B,) in units of the inputs (B, ...).

    It is ``noise`` itself, or ``noise_level`` times the range of each input.
    """
    if noise_level is None:
        return np.full(len(inputs), noise, "float32")
    return (noise_level * ranges(inputs)).astype("float32")


def ranges(inputs: Tensor) -> np.ndarray:
    """Return each input's own maximum - minimum, (B,)."""
    values = ops.convert_to_numpy(inputs).reshape(len(inputs), -1)
    return values.max(axis=1) - values.min(axis=1)


def warn_if_negligible(sigma: np.ndarray, inputs: Tensor) -> bool:
    """Warn and return True if sigma, though not 0, is too small to smooth anything."""
    spread = ranges(inputs)
    small = (sigma > 0) & (sigma < NEGLIGIBLE_LEVEL * spread)
    if small.any():
        worst = int(np.argmax(small))
        warn(
            f"The noise hardly changes the input: sigma is {sigma[worst]:.3g}, less "
            f"than {NEGLIGIBLE_LEVEL:.1%} of the {spread[worst]:.3g} that the input's "
            "values span, so the map is nearly that of the wrapped method. "
            "`noise` is in units of the model's input; `noise_level=0.1` is 10 % of "
            "each image's range."
        )
    return bool(small.any())


def noisy_copies(
    inputs: Tensor, sigma: np.ndarray, keys: np.ndarray, image: np.ndarray
) -> Tensor:
    """Return ``inputs[image] + sigma[image] * eps(keys)``, (R, ...)."""
    return _add_noise()(inputs, sigma[image], keys, image.astype("int32"))


@cache
def _add_noise() -> Any:
    return backend.jit(_noisy)


def _noisy(inputs: Tensor, sigma: Tensor, keys: Tensor, image: Tensor) -> Tensor:
    copies = ops.take(inputs, image, axis=0)
    sigma = ops.reshape(sigma, (-1,) + (1,) * (len(inputs.shape) - 1))
    noise = sigma * backend.normal(keys, tuple(inputs.shape[1:]))
    return copies + ops.cast(noise, inputs.dtype)
