"""Meta methods: they take an explaining method and return one."""

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend, checks, units
from keras_explainable import noise as noises
from keras_explainable.batching import chunks_of_copies
from keras_explainable.compilation import call_method, name_of
from keras_explainable.statistics import RunningMean
from keras_explainable.types import Method, Model, Tensor

#: Rows that go through the network at once when a meta method is called by itself.
ROWS = 16


class _Default(float):
    """A default that can be told from the same number given by hand."""


def smooth(
    method: Method,
    repetitions: int = 20,
    noise: float = _Default(0.1),
    *,
    noise_level: float | None = None,
    seed: int | None = None,
) -> Method:
    """Return ``method`` averaged over noisy copies of the input (SmoothGrad).

        maps = 1/n sum_s method(x + sigma * eps_s),   eps_s ~ N(0, I)

    What ``method`` returns is what is averaged: ``smooth(gradients)`` averages
    absolute gradients; the paper's form averages signed ones, with
    ``functools.partial(gradients, gradient_filter=None, channel_reduction=None)``.

    Args:
        method: explaining method to wrap: a function, a ``functools.partial``,
            another meta method, or a ``tf.function``.
        repetitions: n, the number of noisy copies of each input; each one is noisy.
        noise: sigma, in units of the model's input.
        noise_level: sigma as a fraction of each input's own maximum - minimum, as in
            the paper; in place of ``noise``.
        seed: integer >= 0. The noise of a copy depends on the seed, the image's id
            and the number of the repetition alone. None draws a fresh seed each call.

    Returns:
        A method with the same signature. Logits (B, K) are those of the clean input;
        maps have the shape of ``method``'s. It also takes ``rows``, the most copies
        that go through the network at once; ``ids``, an integer for each input, by
        default its position; and ``progress``, called with rows done and their total.
        Memory does not grow with ``repetitions``.

    Raises:
        ValueError: if ``repetitions < 1``, if sigma or the seed is negative, or if
            both ``noise`` and ``noise_level`` are given.

    Reference: Smilkov et al., 2017, https://arxiv.org/abs/1706.03825
    """
    _check_smooth(method, repetitions, noise, noise_level, seed)
    warned = False

    def smoothed(
        model: Model,
        inputs: Tensor,
        indices: Tensor | None = None,
        *,
        rows: int = ROWS,
        ids: Any = None,
        progress: Callable[[int, int], None] = _silent,
        **params: Any,
    ) -> tuple[Tensor, Tensor]:
        nonlocal warned
        inputs = units.as_inputs(model, inputs)
        ids = checks.image_ids(ids, len(inputs), least=noises.PADDING)
        outputs = units.forward(model, inputs, rows)
        indices = units.as_indices(indices, len(inputs), outputs.shape[-1])
        sigma = noises.scale(inputs, noise, noise_level)
        warned = warned or noises.warn_if_negligible(sigma, inputs)
        key = noises.fresh_seed() if seed is None else seed

        live = np.flatnonzero(ids != noises.PADDING)
        mean = RunningMean(len(inputs))
        for copies in chunks_of_copies(live, repetitions, rows, len(inputs)):
            keys = noises.keys(key, ids[copies.image], copies.draw)
            _, maps = call_method(
                method,
                model,
                noises.noisy_copies(inputs, sigma, keys, copies.image),
                ops.take(indices, copies.image, axis=0),
                params,
                rows=rows,
                ids=noises.derived_ids(keys, copies.used),
            )
            mean.add(maps, copies.image, copies.used)
            backend.wait(mean.value)
            progress(int(mean.counts.sum()), len(live) * repetitions)
        return units.gather_units(outputs, indices), mean.value

    smoothed.__name__ = f"smooth({name_of(method)})"
    return smoothed


def _silent(done: int, total: int) -> None:
    """Nobody is told of progress."""


def _check_smooth(
    method: Any, repetitions: Any, noise: Any, noise_level: Any, seed: Any
) -> None:
    checks.is_callable("method", method)
    checks.integer("repetitions", repetitions, 1)
    checks.number("noise", noise, 0)
    if noise_level is not None:
        checks.number("noise_level", noise_level, 0)
        if not isinstance(noise, _Default):
            raise ValueError(
                "`noise` and `noise_level` must not both be given; received "
                f"noise={noise!r} and noise_level={noise_level!r}."
            )
    if seed is not None:
        checks.integer("seed", seed, 0)
