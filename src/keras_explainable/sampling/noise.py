"""Gaussian noise as a pure function of (seed, image, repetition)."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common import checks
from keras_explainable.common.structures import Nested, flatten, is_float
from keras_explainable.execution.compilation import describe
from keras_explainable.network.input_kinds import columns_with_noise, takes_noise
from keras_explainable.network.layers_of_model import has_layer
from keras_explainable.network.masked_steps import (
    changeable_parts,
    unmasked_steps,
    where_shown,
)
from keras_explainable.network.model_inputs import input_names, map_inputs_with
from keras_explainable.network.quantity_columns import Columns
from keras_explainable.network.user_form import preprocessed
from keras_explainable.types import Model, Tensor

#: An amount of noise: a number, one per channel, or either for each input by name.
Amount = float | Sequence[float] | dict[str, Any]

#: The id of an image that only pads a batch.
PADDING = -1


class Default(float):
    """A default value, distinguishable from the same number passed explicitly."""


DEFAULT = Default(0.1)


@dataclass(frozen=True)
class Noise:
    """The checked parameters of the noise of ``ke.methods.meta.smooth``."""

    amount: Amount
    level: Amount | None = None
    antithetic: bool = False
    preprocess: Callable[[Tensor], Tensor] | None = None
    clip: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        _check_amounts(self.amount, partial(checks.number_or_numbers, "noise", low=0))
        if self.level is not None:
            _check_amounts(self.level, _check_level)
            if not isinstance(self.amount, Default):
                raise ValueError(
                    "`noise` and `noise_level` must not both be given; received "
                    f"noise={self.amount!r} and noise_level={self.level!r}."
                )
        checks.boolean("antithetic", self.antithetic)
        if self.preprocess is not None:
            checks.is_callable("preprocess", self.preprocess)
        if self.clip is not None and not _is_range(self.clip):
            raise ValueError(
                f"`clip` must be (lowest, highest); received {self.clip!r}."
            )

    @property
    def copies(self) -> int:
        """The number of copies per draw: two if they come in pairs."""
        return 1 + self.antithetic

    @property
    def by_range(self) -> bool:
        """Whether sigma is the same fraction of each input's range."""
        return self.level is not None and not isinstance(self.level, dict)

    @property
    def facts(self) -> dict[str, Any]:
        """The parameters, besides sigma, that runs with equal noise share."""
        return {
            "antithetic": self.antithetic,
            "clip": self.clip and list(self.clip),
            "preprocess": self.preprocess and describe(self.preprocess),
        }

    def prepared(self, inputs: Nested) -> Nested:
        """Return ``inputs`` as the model receives them, preprocessed."""
        if self.preprocess is None:
            return inputs
        return preprocessed(self.preprocess, inputs)

    def scales(self, model: Model, inputs: Nested, spans: Nested) -> Nested:
        """Return sigma in units of each input, shape (B, 1), or (B, C) by channel.

        It is the amount itself, or the level times the ranges ``spans`` (B,) of the
        inputs. Inputs that are no quantities have none, unless it is given by name,
        and neither do such columns, unless it is given by name or for each channel.
        """
        amount = self.amount if self.level is None else self.level
        name = "noise" if self.level is None else "noise_level"
        if isinstance(amount, dict):
            return map_inputs_with(model, self._scale, name, amount, inputs, spans)
        noisy = takes_noise(model, inputs)
        if not any(noisy):
            raise _without_quantities(model)
        columns = columns_with_noise(model, inputs)
        pairs = zip(columns, noisy, strict=True)
        amounts = [_by_column(amount, each) if on else 0.0 for each, on in pairs]
        leaves = map(self._scale, amounts, flatten(inputs), flatten(spans))
        return keras.tree.pack_sequence_as(inputs, [*leaves])

    def unmasked(self, model: Model, inputs: Nested) -> list[Any]:
        """Return for each input the steps (B, T, 1, ...) that get noise; None: all."""
        amount = self.amount if self.level is None else self.level
        if isinstance(amount, dict):
            return [None] * len(flatten(inputs))
        return unmasked_steps(model, inputs, self.prepared)

    def spans(self, model: Model, inputs: Nested) -> Nested:
        """Return the range (B,) of each input, without hidden steps and categories."""
        shown = changeable_parts(model, inputs, self.prepared)
        ranges = map(value_ranges, flatten(inputs), shown)
        return keras.tree.pack_sequence_as(inputs, [*ranges])

    def _scale(self, amount: Any, inputs: Tensor, spans: np.ndarray) -> np.ndarray:
        amounts, channels = np.atleast_1d(amount), inputs.shape[-1]
        if amounts.shape not in ((1,), (channels,)):
            raise ValueError(
                "`noise` and `noise_level` must be a number, or one for each of the "
                f"{channels} channels; received {amounts.tolist()}."
            )
        units = np.ones(len(spans)) if self.level is None else spans
        return (units[:, None] * amounts).astype("float32")


def _by_column(amount: Amount, columns: Columns | None) -> Amount:
    """Return an amount for each column, 0 for those that only choose."""
    if columns is None or np.ndim(amount):  # type: ignore[arg-type]
        return amount
    if not columns.clear:
        raise _unclear_columns(amount, columns.count)
    noisy = [number in columns.quantities for number in range(columns.count)]
    return [amount if each else 0.0 for each in noisy]  # type: ignore[misc]


def _unclear_columns(amount: Any, count: int) -> ValueError:
    example = [0.0, *(float(amount),) * (count - 1)][:4]
    return ValueError(
        "`model` must read categories and quantities from different columns of its "
        "input, so that only the latter get noise; it reads a category, and which "
        "columns that leaves is not known. Noise for each channel, such as "
        f"noise_level={example}, names the columns without noise."
    )


def _without_quantities(model: Model) -> ValueError:
    names = input_names(model) or ["x"]
    hint = (
        "Vectors of an Embedding get noise if it does not mask zeros and alone reads "
        "the tokens"
        if has_layer(model, keras.layers.Embedding)
        else f"Sigma given by name, such as noise={{{names[0]!r}: 1}}, adds noise to "
        "any numbers"
    )
    return ValueError(
        "`model` must have an input of real numbers to add noise to; received "
        f"{names}, of tokens, categories, masks or other integers. {hint}."
    )


def random_seed() -> int:
    """Return a fresh seed from the operating system's entropy."""
    return secrets.randbits(63)


def random_keys(seed: int, ids: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return a random uint32 key (R, 2) for each pair of an image id and a draw.

    A key does not depend on the other rows, hence not on batch size or order.
    """
    # Words of fixed width come first, so that different triples never coincide.
    pairs = np.stack([ids, draws], axis=-1, dtype="uint64", casting="unsafe")
    rows = pairs.view("uint32").tolist()
    sequences = [np.random.SeedSequence([*row, seed]) for row in rows]
    return np.stack([sequence.generate_state(2) for sequence in sequences])


def copy_ids(keys: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Return ids (R,) of noisy copies, for a method that draws noise itself."""
    ids = (keys[:, 0].astype("int64") << 31) | (keys[:, 1] >> 1)
    return np.where(used, ids, PADDING)


def value_ranges(inputs: Tensor, shown: Tensor | None = None) -> np.ndarray:
    """Return the range, maximum - minimum, of the shown steps of each input, (B,)."""
    values = ops.convert_to_numpy(inputs)
    if values.dtype.kind == "b":
        return np.zeros(len(values))
    if shown is not None:
        values = _without_hidden(values, ops.convert_to_numpy(shown))
    values = values.reshape(len(values), -1)
    return values.max(axis=1) - values.min(axis=1)


def _without_hidden(values: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Return flat values with one that is shown in the place of hidden ones."""
    shown = np.broadcast_to(shown, values.shape).reshape(len(values), -1)
    values = values.reshape(len(values), -1)
    first = np.take_along_axis(values, shown.argmax(axis=1)[:, None], axis=1)
    return np.where(shown, values, first)


def noisy_copies(
    inputs: Nested,
    sigma: Nested,
    keys: np.ndarray,
    image: np.ndarray,
    *,
    pairs: bool = False,
    clip: tuple[float, float] | None = None,
    unmasked: Sequence[Any] | None = None,
) -> Nested:
    """Return ``inputs[image] + sigma[image] * eps(keys)``, (R, ...).

    Args:
        inputs: Input (B, ..., C), or several inputs, which get independent noise.
        sigma: Standard deviations, shape (B, 1) or (B, C).
        keys: Random keys of the copies, shape (R, 2).
        image: Positions of the inputs to copy, shape (R,).
        pairs: Whether to append copies with the opposite noise, (2 R, ...).
        clip: Smallest and largest value to keep.
        unmasked: For each input the steps (B, T, 1, ...) to add noise to; None for all.
    """
    add_noise, rows = _compiled_noise(pairs, clip), image.astype("int32")
    leaves = flatten(inputs)
    masks = unmasked or [None] * len(leaves)

    def noisy(x: Tensor, scale: np.ndarray, mask: Any, number: int) -> Tensor:
        if not scale.any() and not is_float(x):
            return ops.take(x, np.tile(rows, 1 + pairs), axis=0)
        noise = add_noise(x, scale[image], keys + np.uint32(number), rows)
        if mask is None:
            return noise
        copied = np.tile(rows, 1 + pairs)
        return where_shown(mask, noise, ops.take(x, copied, axis=0), copied)

    copies = map(noisy, leaves, flatten(sigma), masks, range(len(leaves)))
    return keras.tree.pack_sequence_as(inputs, [*copies])


@lru_cache(32)
def _compiled_noise(pairs: bool, clip: tuple[float, float] | None) -> Any:
    return backend.jit(partial(_add_noise, pairs, clip))


def _add_noise(
    pairs: bool, clip: Any, inputs: Tensor, sigma: Tensor, keys: Tensor, image: Tensor
) -> Tensor:
    copies = ops.take(inputs, image, axis=0)
    sigma = ops.reshape(sigma, (keys.shape[0], *(1,) * (len(inputs.shape) - 2), -1))
    noise = sigma * backend.normal(keys, tuple(inputs.shape[1:]))
    if not is_float(inputs):
        noise = ops.round(noise)
    noise = ops.cast(noise, inputs.dtype)
    halves = [copies + noise, copies - noise] if pairs else [copies + noise]
    noisy = ops.concatenate(halves)
    return noisy if clip is None else ops.clip(noisy, *clip)


def _check_level(value: Any) -> None:
    checks.fractions(
        "noise_level", value, "`noise` takes sigma in units of the model's input."
    )


def _check_amounts(amount: Amount, check: Callable[[Any], None]) -> None:
    for value in amount.values() if isinstance(amount, dict) else [amount]:
        check(value)


def _is_range(clip: Any) -> bool:
    pair = isinstance(clip, tuple | list) and len(clip) == 2
    return pair and bool(clip[0] < clip[1])
