"""The repetitions of each image, cut into parts that several workers compute."""

import inspect
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial, reduce
from itertools import pairwise
from operator import itemgetter
from typing import Any

import numpy as np
from keras import ops

from keras_explainable.distributed.output_folder import OutputFolder, check_different
from keras_explainable.distributed.result_columns import (
    FAILURE,
    PREDICTIONS,
    Row,
    errors_of,
    rows_of_columns,
)
from keras_explainable.engine import smoothgrad
from keras_explainable.engine.explain import explain
from keras_explainable.engine.postprocessing import Postprocessing, postprocess
from keras_explainable.execution.compilation import display_name
from keras_explainable.execution.method_checks import is_shortcut
from keras_explainable.execution.model_preparation import maker_of, remade
from keras_explainable.sampling.stats import Stats
from keras_explainable.types import Model

#: The column with the number of the part.
PART = "part"

_PREFIX, _FACTS, _DRAWS = "stats.", "stats.facts", "stats.draws"


@dataclass(frozen=True)
class RepetitionPart:
    """Some repetitions of a method that averages over noisy copies.

    Attributes:
        method: ``smooth(...)``, or a shortcut that takes ``start`` and ``repetitions``.
        params: Parameters of the method and of ``ke.explain``.
        start: Number of the first repetition.
        repetitions: How many there are.
    """

    method: Any
    params: Mapping[str, Any]
    start: int
    repetitions: int

    def __call__(self, model: Model, x: np.ndarray, y: Any, ids: Any) -> list[Row]:
        """Return the state of the running sums of each image, as columns.

        Raises:
            ValueError: If the maps are not of the pixels.
        """
        own = {"start": self.start, "repetitions": self.repetitions}
        given = {**self.params, "ids": ids, "verbose": 0, "return_stats": True}
        given |= {"postprocessing": None, "resizing": None}
        if is_shortcut(self.method):
            given["estimator"] = "sampled"
            explanation = self.method(model, x, y, **given, **own)
        else:
            part = remade(self.method, **own)
            explanation = explain(part, model, x, y, **given)
        stats = explanation.stats
        if stats.maps.shape[1:-1][: x.ndim - 2] != x.shape[1:-1]:
            raise ValueError(
                "`parts` must be 1 for maps of a layer, which are resized; "
                f"{display_name(self.method)!r} returned maps {stats.maps.shape}."
            )
        return list(_rows_of(stats))


def repetition_parts(
    method: Any, params: Mapping[str, Any], parts: int
) -> list[RepetitionPart]:
    """Return the parts of a method, as even as its pairs of copies allow.

    Raises:
        ValueError: If the repetitions cannot be cut, or there are too few of them.
    """
    settings = {**_settings(method), **params}
    _check(method, settings, params.get("resizing"))
    step = 2 if settings["antithetic"] else 1
    draws, first = settings["repetitions"] // step, settings["start"]
    if draws < parts:
        raise ValueError(
            f"`parts` must be at most {draws}, the number of repetitions (or pairs of "
            f"them) of each image; received {parts}."
        )
    edges = [step * (draws * number // parts) for number in range(parts + 1)]
    kept = {
        name: value
        for name, value in params.items()
        if name not in ("start", "repetitions", "estimator")
    }
    return [
        RepetitionPart(method, kept, first + start, stop - start)
        for start, stop in pairwise(edges)
    ]


@dataclass(frozen=True)
class MergedParts:
    """Function from the parts of images to their rows in the result.

    Attributes:
        id_column: Name of the column of ids.
        finish: Function of the maps (1, H, W, ..., K) to those of the result.
        with_errors: Whether the result has the error statistics.
        folder: Where the row is stored; None to return it.
    """

    id_column: str
    finish: Any
    with_errors: bool
    folder: OutputFolder | None

    def __call__(self, pieces: Iterable[Row], parts: int) -> Iterator[Row]:
        """Yield the row of each image, or what was stored, once all parts are there."""
        waiting, seen = defaultdict[Any, list[Row]](list), set[Any]()
        for piece in pieces:
            own = waiting[piece[self.id_column]]
            own.append(piece)
            key = piece[self.id_column], piece[PART]
            if key in seen:  # Parts of different images must not be merged.
                check_different([key[0]] * 2)
            seen.add(key)
            if len(own) == parts:
                yield self._row(waiting.pop(piece[self.id_column]))

    def _row(self, pieces: list[Row]) -> Row:
        # In their order, so that sums do not depend on who was first.
        stats = [_stats_of(each) for each in sorted(pieces, key=itemgetter(PART))]
        shared = self.id_column, FAILURE, PREDICTIONS
        own = {name: np.stack([pieces[0][name]]) for name in shared}
        whole = stats[0] if own[FAILURE][0] else reduce(Stats.merged, stats)
        maps = ops.convert_to_numpy(self.finish(whole.maps))
        found = {"logits": whole.logits, "maps": maps, "units": whole.units}
        columns = own | found | (errors_of(whole) if self.with_errors else {})
        columns = self.folder.store(columns) if self.folder else columns
        return {name: column[0] for name, column in columns.items()}


def merged_parts(
    id_column: str, method: Any, params: Mapping[str, Any], folder: OutputFolder | None
) -> MergedParts:
    """Return the function that merges the parts of a method."""
    settings = {"postprocessing": None, **_settings(method), **params}
    own: Postprocessing | None = settings["postprocessing"]
    finish = partial(postprocess, postprocessing=own)
    if is_shortcut(method):
        finish = partial(smoothgrad.finished, own)
    return MergedParts(id_column, finish, params.get("return_stats", False), folder)


def with_parts(dataset: Any, parts: int) -> Any:
    """Return a data set of Ray with a row for each part of each image."""

    def cut(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        count = len(next(iter(batch.values())))
        repeated = {name: np.repeat(each, parts, 0) for name, each in batch.items()}
        return repeated | {PART: np.tile(np.arange(parts), count)}

    return dataset.map_batches(cut, batch_format="numpy")


def _settings(method: Any) -> dict[str, Any]:
    """Return the parameters of a method that have a value."""
    if is_shortcut(method):
        every = inspect.signature(method).parameters.values()
        return {each.name: each.default for each in every}
    made = maker_of(method)
    return {} if made is None else dict(made.keywords)


def _check(method: Any, settings: Mapping[str, Any], resizing: Any) -> None:
    if "start" not in settings:
        raise ValueError(
            "`method` must be `ke.methods.meta.smooth(...)`, `ke.smoothgrad`, "
            "`ke.smoothgrad_squared` or `ke.vargrad` if `parts` is above 1; received "
            f"{display_name(method)!r}."
        )
    needed = {"tolerance": None, "resizing": None, "estimator": "sampled"}
    given = {"estimator": "auto", **settings, "resizing": resizing}
    for name, value in needed.items():
        if given[name] not in (value, "auto"):
            raise ValueError(
                f"`{name}` must be {value!r} or omitted if `parts` is above 1; "
                f"received {given[name]!r}."
            )


def _rows_of(stats: Stats) -> Iterator[Row]:
    columns = {f"{_PREFIX}{name}": each for name, each in stats.arrays().items()}
    columns[_DRAWS] = np.moveaxis(columns[_DRAWS], 1, 0)
    columns[_FACTS] = [json.dumps(stats.facts)] * len(stats.ids)
    return rows_of_columns(columns)


def _stats_of(row: Row) -> Stats:
    arrays = {
        name.removeprefix(_PREFIX): np.asarray(value)[None]
        for name, value in row.items()
        if name.startswith(_PREFIX) and name != _FACTS
    }
    arrays["draws"] = np.moveaxis(arrays["draws"], 0, 1)
    return Stats.of_arrays(arrays, json.loads(str(row[_FACTS])))
