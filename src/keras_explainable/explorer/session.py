"""Computes maps step by step, and goes on from what it knows."""

import time
from collections.abc import Iterator
from threading import Event
from typing import Any

import keras
import numpy as np

import keras_explainable as ke
from keras_explainable.explorer.estimates import Estimate, Floats, PlainMap, SampledMap
from keras_explainable.explorer.explored_model import ExploredImage
from keras_explainable.explorer.kept_estimates import MEMORY, KeptEstimates
from keras_explainable.explorer.settings import SEEDED, Setting
from keras_explainable.inspection.model_fingerprint import fingerprint
from keras_explainable.types import Model

#: Rows that go through the network at once, and those of slow networks: a run stops
#: between two such batches.
ROWS, FEW_ROWS = 8, 4

#: Seconds that a step should take, so that there are several updates in each second,
#: and those above which a network is slow.
STEP_SECONDS, SLOW_SECONDS = 0.15, 0.2


class StoppedError(Exception):
    """The map that is being computed is not wanted any more."""


class Session:
    """Computes maps of a model and keeps their running sums.

    Args:
        model: Keras model.
        memory: The most bytes of sums that are kept.
    """

    def __init__(self, model: Model, memory: int = MEMORY):
        self.model = model
        self.kept = KeptEstimates(memory)
        self._pace = _Pace()
        self._weights = fingerprint(model)

    def _forget_other_weights(self) -> None:
        """Forget the maps of weights that the model had, such as before training."""
        if (now := fingerprint(self.model)) != self._weights:
            self.kept.clear()
            self._weights = now

    def estimates(
        self, image: ExploredImage, setting: Setting, repetitions: int, stop: Event
    ) -> Iterator[Estimate]:
        """Yield better and better estimates of a map, the last one of all repetitions.

        The first one is the best that is known: if it is enough, nothing is computed.

        Args:
            image: Image to explain.
            setting: What to compute.
            repetitions: Number of repetitions; no effect on methods without noise.
            stop: Once it is set, nothing more is computed after the batch that runs.
        """
        self._forget_other_weights()
        known = self.kept.best(setting, repetitions)
        if known is not None:
            yield known
        wanted = repetitions if setting.draws_noise else 0
        while known is None or known.repetitions < wanted:
            try:
                new = self._next(image, setting, known, repetitions, stop)
            except StoppedError:
                return
            self.kept.put(setting, new, known)
            yield (known := new)

    def _next(
        self,
        image: ExploredImage,
        setting: Setting,
        known: Estimate | None,
        repetitions: int,
        stop: Event,
    ) -> Estimate:
        options: dict[str, Any] = {"verbose": 0, "callbacks": [_Stopping(stop)]}
        given = self.model, image.inputs, [[setting.unit]]
        options |= method_parameters(setting, image, self._pace.rows)
        if not setting.draws_noise:
            _, maps = getattr(ke, setting.method)(*given, **options)
            return PlainMap(maps[0, ..., 0])
        start = known.repetitions if known else 0
        if setting.continues:
            return self._more_samples(given, options, known, start, repetitions)
        count = min(max(2 * start, ROWS), repetitions)
        result = ke.smoothgrad(*given, repetitions=count, return_stats=True, **options)
        error = float(result.stats.relative_error[0, 0])
        values: Floats = result.stats.maps[0, ..., 0]
        return PlainMap(values, count, error if np.isfinite(error) else None)

    def _more_samples(
        self,
        given: tuple[Any, ...],
        options: dict[str, Any],
        known: Any,
        start: int,
        repetitions: int,
    ) -> SampledMap:
        """Return the map of a step more of samples."""
        pace = self._pace.repetitions if start else ROWS
        count = min(pace, _to_power(start), repetitions - start)
        options |= {"start": start, "repetitions": count, "return_stats": True}
        began = time.monotonic()
        stats = ke.smoothgrad(*given, statistic="variance", **options).stats
        self._pace.took(count, time.monotonic() - began)
        return known.continued(stats) if known else SampledMap.of(stats)


def method_parameters(
    setting: Setting, image: ExploredImage, rows: int = ROWS
) -> dict[str, Any]:
    """Return the parameters of a method that a setting stands for.

    The noise follows from the seed and the image's id. ``rows`` go through the network
    at once.
    """
    if not setting.draws_noise:
        return {"seed": setting.seed} if setting.method in SEEDED else {}
    return {
        "estimator": setting.estimator,
        "noise_level": setting.noise_level,
        "seed": setting.seed,
        "ids": [image.id],
        "batch_size": rows,
    }


class _Pace:
    """Chooses rows and repetitions of a step by the time that earlier ones took."""

    def __init__(self) -> None:
        self.rows = self.repetitions = ROWS
        self._slow = 0

    def took(self, count: int, seconds: float) -> None:
        """Note the time of a step: the next is twice as long at most."""
        is_slow = count <= ROWS and seconds > SLOW_SECONDS
        self._slow = self._slow + 1 if is_slow else 0
        if self._slow > 1:  # The first of an image's size is compiled, and says little.
            self.rows = FEW_ROWS
        fitting = count * STEP_SECONDS / max(seconds, 1e-6)
        whole = int(min(fitting, 2 * count) // self.rows) * self.rows
        self.repetitions = max(whole, self.rows)


def _to_power(start: int) -> int:
    """Return how many repetitions are left to the next power of two, at least ROWS."""
    power = max(1 << start.bit_length(), ROWS)
    return power - start


class _Stopping(keras.callbacks.Callback):
    """Ends a method between two batches."""

    def __init__(self, stop: Event):
        super().__init__()
        self._stop = stop

    def on_explain_progress(self, done: int, total: int | None) -> None:
        """Raise once the map is not wanted any more."""
        if self._stop.is_set():
            raise StoppedError
