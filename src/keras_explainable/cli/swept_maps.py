"""Maps with several noise levels and numbers of noisy copies."""

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

import keras_explainable as ke
from keras_explainable.cli.noise_record import noise_record
from keras_explainable.cli.predictions import Units
from keras_explainable.cli.read_images import Floats
from keras_explainable.engine.smoothgrad import finished
from keras_explainable.report.explanation_records import Maps, SweepGrid


def compute(
    method: str,
    model: Any,
    inputs: Floats,
    y: Units,
    grid: SweepGrid,
    params: dict[str, Any],
) -> list[Maps]:
    """Return the maps of each image (N, H, W, C), with those of the whole grid.

    A noise level costs no more than its largest number of copies, because each number
    continues from the one before.

    Args:
        method: One of the methods that add noise.
        model: The network.
        inputs: The images.
        y: The units to explain.
        grid: The settings to try; the noise level of ``params`` is among them.
        params: Parameters of the method.
    """
    function, main = getattr(ke, method), params["noise_level"]
    rows = [
        [*_row(function, model, inputs, y, grid, params | {"noise_level": level})]
        for level in grid.noise_levels
    ]
    found = []
    for number in range(len(inputs)):
        sweep = tuple(tuple(each[number] for each in row) for row in rows)
        of_run = sweep[grid.noise_levels.index(main)][-1]
        found.append(dataclasses.replace(of_run, sweep=sweep))
    return found


def _row(
    function: Any,
    model: Any,
    inputs: Floats,
    y: Units,
    grid: SweepGrid,
    params: dict[str, Any],
) -> Iterator[list[Maps]]:
    """Yield the maps of each image after each number of copies."""
    known = None
    for start, count in itertools.pairwise([0, *grid.repetitions]):
        options = params | {"start": start, "repetitions": count - start}
        new = function(model, inputs, y, **options).stats
        known = known.merged(new) if known else new
        yield _maps_of(function.__name__, known, params["noise_level"])


def _maps_of(method: str, stats: ke.Stats, level: float) -> list[Maps]:
    # Not the state with its channels: there are many of these maps at once.
    maps = keras.ops.convert_to_numpy(finished(ke.filters.normalize, stats.maps))
    return [
        Maps(method, np.asarray(one, "float32"), noise_record(stats, number, level))
        for number, one in enumerate(maps)
    ]
