"""Shows the effect of SmoothGrad's two parameters: noise level and repetitions."""

import itertools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_explainable import filters
from keras_explainable.common import checks
from keras_explainable.engine.shortcuts import smoothgrad
from keras_explainable.plotting import visualize
from keras_explainable.sampling.stats import Stats
from keras_explainable.types import Model


class SweepRows(list[list[Stats]]):
    """The statistics of a sweep, which a notebook shows in one line."""

    def __repr__(self) -> str:
        rows, columns = len(self), len(self[0]) if self else 0
        return f"<Stats of {rows} noise levels x {columns} numbers of repetitions>"


def sweep(
    model: Model,
    image: Any,
    unit: int | None = None,
    *,
    noise_levels: Sequence[float] = (0.05, 0.1, 0.2, 0.3),
    repetitions: Sequence[int] = (4, 16, 64, 256),
    to_file: str | os.PathLike[str] | None = None,
    **params: Any,
) -> list[list[Stats]]:
    """Return ``Stats`` of one image for each noise level and number of repetitions.

    The statistics are also drawn as a grid of maps: a row per noise level, a column per
    number of repetitions, with the relative error in each panel's title. A row costs no
    more than its last panel, because each panel continues from the one before it.

    Args:
        model: Keras model, as in ``ke.smoothgrad``.
        image: Image (H, W, C) or signal (T, C), preprocessed for the model; or a batch
            of one.
        unit: The unit to explain; ``None`` for the one with the largest logit.
        noise_levels: Sigma as fractions of the image's maximum - minimum.
        repetitions: Increasing numbers of noisy copies.
        to_file: Path of a picture to write, as in ``ke.utils.visualize``; ``None`` to
            show it.
        **params: Parameters of ``ke.smoothgrad``, such as ``seed`` or ``statistic``,
            but for those of the maps: the maps are drawn as they are in ``Stats``.

    Returns:
        ``Stats`` of each panel, in a list per row.

    Raises:
        ValueError: If a parameter is not as described.

    Reference: Smilkov et al., 2017, figures 3 and 4, https://arxiv.org/abs/1706.03825
    """
    _check_increasing(repetitions)
    _check_without_effect(params)
    params.setdefault("estimator", "sampled")  # Other maps cannot be continued.
    x, y = _batch_of_one(model, image), "predicted" if unit is None else [unit]
    rows = [
        _row(model, x, y, repetitions, noise_level=level, **params)
        for level in noise_levels
    ]
    panels = list(itertools.chain(*rows))
    levels = np.repeat(noise_levels, len(repetitions))
    titles = [_title(level, stats) for level, stats in zip(levels, panels, strict=True)]
    maps = np.concatenate([filters.normalize(_raw_map(stats)) for stats in panels])
    images, options = maps, dict[str, Any]()
    if x.ndim == 3:  # The lines of a signal (T, C) carry the colours.
        options = {"overlays": maps, "kind": "signal"}
        images = np.repeat(x, len(maps), axis=0)
    visualize.visualize(
        images, titles, cols=len(repetitions), to_file=to_file, **options
    )
    return SweepRows(rows)


def _batch_of_one(model: Model, image: Any) -> np.ndarray:
    array, inputs = np.asarray(image), getattr(model, "inputs", None) or ()
    rank = len(inputs[0].shape) if inputs else 4
    return array if array.ndim == rank and len(array) == 1 else array[None]


def _row(
    model: Model, x: Any, y: Any, repetitions: Sequence[int], **params: Any
) -> list[Stats]:
    """Return the stats after each number of repetitions."""
    row: list[Stats] = []
    for done, n in itertools.pairwise([0, *repetitions]):
        _, _, added = smoothgrad(
            model, x, y, repetitions=n - done, start=done, return_stats=True, **params
        )
        row.append(row[-1].merged(added) if row else added)
    return row


def _raw_map(stats: Stats) -> np.ndarray:
    """Return the map of ``smoothgrad`` before normalisation, (1, H, W, 1)."""
    return np.abs(stats.maps).mean(axis=-2)


def _title(level: float, stats: Stats) -> str:
    error = stats.relative_error.item()
    shown = f"{error:.2f}" if np.isfinite(error) else "unknown"
    return f"noise {level:.0%}, n = {stats.repetitions.item()}, error {shown}"


def _check_without_effect(params: dict[str, Any]) -> None:
    for name in ("noise", "noise_level"):
        if name in params:
            raise TypeError(
                f"`{name}` is not a parameter of 'sweep'; did you mean `noise_levels`?"
            )
    if refused := sorted({"postprocessing", "resizing"} & {*params}):
        raise ValueError(
            f"`{refused[0]}` must be omitted, as `Stats` hold the maps before "
            f"postprocessing; received {params[refused[0]]!r}."
        )


def _check_increasing(repetitions: Sequence[int]) -> None:
    for each in repetitions:
        checks.integer("repetitions", each, 1)
    if not repetitions or any(a >= b for a, b in itertools.pairwise(repetitions)):
        raise ValueError(
            f"`repetitions` must be increasing numbers; received {repetitions!r}."
        )
