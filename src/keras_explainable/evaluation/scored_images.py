"""The images of an evaluation, which methods explain and metrics score."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common.warnings import warn
from keras_explainable.engine.data_iterators import as_numpy
from keras_explainable.engine.progress_bar import Progress
from keras_explainable.evaluation.evaluation import COMMON, Evaluation
from keras_explainable.evaluation.named_methods import Method
from keras_explainable.evaluation.named_metrics import Metric
from keras_explainable.evaluation.repeated_draws import RepeatedDraws
from keras_explainable.evaluation.score_record import ScoreRecord
from keras_explainable.execution.compilation import describe
from keras_explainable.execution.method_checks import is_shortcut
from keras_explainable.inspection.model_fingerprint import fingerprint
from keras_explainable.metrics.data_arrays import checked_units
from keras_explainable.metrics.map_arrays import Floats, checked_masks
from keras_explainable.metrics.pixel_removal import Curves
from keras_explainable.network.channels_last import orders_to_channels_last
from keras_explainable.network.input_kinds import graph_of_layers
from keras_explainable.network.model_inputs import shape_text
from keras_explainable.types import Model

#: Images that are explained and scored at once. Only their scores are kept.
CHUNK = 16

Maps = NDArray[Any]


@dataclass(frozen=True)
class ScoredImages:
    """Images with the methods and metrics to evaluate.

    Attributes:
        model: Model to explain.
        inputs: Inputs (N, ..., C).
        y: What is explained, as ``evaluate`` takes it.
        given_masks: Masks or boxes, or None.
        ids: Ids of the images (N,).
        methods: Methods and controls.
        metrics: Metrics.
        draws: Repetitions of what is drawn at random.
        options: Parameters of ``explain`` and of metrics that take them.
    """

    model: Model
    inputs: NDArray[np.float32]
    y: Any
    given_masks: Any
    ids: NDArray[np.int64]
    methods: list[Method]
    metrics: list[Metric]
    draws: RepeatedDraws
    options: dict[str, Any]

    @cached_property
    def units(self) -> Any:
        """The units (N, K) or (N,), None, or a target."""
        return checked_units(self.model, self.inputs, self.y, "`evaluate`")

    @cached_property
    def masks(self) -> Maps | None:
        """The masks or boxes."""
        return None if self.given_masks is None else as_numpy(self.given_masks, "masks")

    @cached_property
    def map_size(self) -> tuple[int, ...]:
        """The axes of one map, which are those of an input without its channels."""
        graph = graph_of_layers(self.model)
        orders = orders_to_channels_last(graph) if graph else [None]
        shape = *self.inputs.shape, 1
        order = orders[0] or tuple(range(self.inputs.ndim))
        return tuple(shape[axis] for axis in order[1:-1])

    def check(self) -> None:
        """Raise for units and masks that do not fit, before anything is computed."""
        _ = self.units
        if len({*self.ids.tolist()}) < len(self.ids):
            raise ValueError(
                "`ids` must be another integer for each image, as random draws depend "
                f"on it; received {self.ids.tolist()!r:.60}."
            )
        if self.masks is not None:
            is_of_units = self.masks.ndim == len(self.map_size) + 2
            count = self.masks.shape[-1] if is_of_units else 1
            checked_masks(self.masks, (len(self.inputs), *self.map_size, count))

    def evaluation(self, verbose: Any, callbacks: Any = None) -> Evaluation:
        """Return all scores, or those known when Ctrl-C was pressed."""
        progress = Progress(self.model, callbacks, verbose, 1, len(self.ids), "scores")
        found, _ = self.scores_so_far(progress, progress.steps(self.chunks()))
        return found

    def chunks(self) -> Iterator[slice]:
        """Yield the positions of images that are explained and scored at once."""
        for start in range(0, len(self.ids), CHUNK):
            yield slice(start, start + CHUNK)

    def scores_so_far(
        self, progress: Progress, chunks: Iterable[slice]
    ) -> tuple[Evaluation, bool]:
        """Return the scores, and whether Ctrl-C left out some.

        Raises:
            KeyboardInterrupt: If there are none yet.
        """
        shape = len(self.methods), self.metrics, self.draws.fewest, len(self.ids)
        record = ScoreRecord(*shape)
        try:
            self._fill(record, progress, chunks)
        except KeyboardInterrupt:
            known = record.known
            if not known.any():
                raise
            record.note(f"Stopped at {known.sum()} of {len(known)} images.")
            warn(record.notes[-1])
            return self._result(record, known), True
        return self._result(record, slice(None)), False

    def _result(self, record: ScoreRecord, rows: Any) -> Evaluation:
        facts = {
            "model": fingerprint(self.model),
            "units": self._kind_of_units(),
            "parameters of methods": [each.description for each in self.methods],
            "parameters of metrics": [each.description for each in self.metrics],
            COMMON: [each.name for each in self.metrics if each.draws_for_all],
        }
        return Evaluation(
            record.samples[..., rows],
            self.ids[rows],
            tuple(each.name for each in self.methods),
            tuple(each.name for each in self.metrics),
            tuple(each.name for each in self.methods if each.is_control),
            tuple(each.higher_is_better for each in self.metrics),
            tuple(record.notes),
            facts | self.draws.facts,
            record.curves(rows),
            tuple(self.ids[record.known & ~record.finished].tolist()),
        )

    def _kind_of_units(self) -> str:
        if isinstance(self.units, np.ndarray):
            return f"{self.units.reshape(len(self.units), -1).shape[1]} of each image"
        return "all" if self.units is None else describe(self.units)

    def _fill(
        self, record: ScoreRecord, progress: Progress, chunks: Iterable[slice]
    ) -> None:
        """Write the scores into a record, chunk by chunk."""
        cells = len(self.methods) * len(self.metrics)
        for rows in chunks:
            count, done = len(self.ids[rows]), 0
            report = progress.of_batch(count)
            for number in range(len(self.methods)):
                for _ in self._scored(number, rows, record):
                    done += 1
                    report(count * done, count * cells)
            record.finished[rows] = True

    def _scored(self, number: int, rows: slice, record: ScoreRecord) -> Iterator[None]:
        """Write the scores of a method, those of a metric at each step."""
        method = self.methods[number]
        drawn = _DrawnMaps(lambda seed: self._maps(method, rows, seed), method.draws)
        for at, metric in enumerate(self.metrics):
            if "method" in metric.needs and method.function is None:
                record.note(f"{metric.name} needs a method; {method.name} are maps.")
            else:
                if metric.compares_values and is_shortcut(method.function):
                    record.note(
                        f"{metric.name} compares values with the model's, but maps of "
                        f"{method.name} are postprocessed; methods of `ke.methods` "
                        "return their own."
                    )
                self._draw((number, at, rows), drawn, record)
            yield

    def _draw(
        self, cell: tuple[int, int, slice], drawn: "_DrawnMaps", record: ScoreRecord
    ) -> None:
        """Write the scores of a chunk by one metric, for one seed after another."""
        method, metric = self.methods[cell[0]], self.metrics[cell[1]]
        for number, seed in enumerate(self.draws.seeds):
            maps = drawn.at(seed)
            if number and not (drawn.differ or metric.draws(maps)):
                record.repeat(cell)
                return
            found = self._scores(method, metric, cell[2], maps, seed, record)
            record.add(cell, number, *found)
            error = record.error(cell)
            facts = metric.name, number + 1, len(maps), metric.draws_for_all, error
            if self.draws.are_enough(*facts):
                return
        if self.draws.is_missed(metric.name, error):
            record.note(
                f"{metric.name} of {method.name} is not known to the tolerance after "
                f"{len(self.draws.seeds)} repetitions."
            )

    def _maps(self, method: Method, where: slice, seed: int) -> Maps:
        x, y = self.inputs[where], _rows(self.units, where)
        options = {**self.options, "ids": self.ids[where]}
        with _Noted(f"The method was {method.name!r}."):
            maps = method.maps_of(self.model, x, y, where, seed, **options)
        units = (np.shape(y)[1:] or (1,)) if isinstance(y, np.ndarray) else None
        size = len(x), *self.map_size
        if maps.shape != (*size, *(units or maps.shape[-1:])):
            wanted = shape_text((*size, *(units or ("K",))))
            raise ValueError(
                f"`methods[{method.name!r}]` must have maps {wanted}; received "
                f"{shape_text(maps.shape)}."
            )
        return maps

    def _scores(
        self,
        method: Method,
        metric: Metric,
        where: slice,
        maps: Maps,
        seed: int,
        record: ScoreRecord,
    ) -> tuple[Floats, Curves | None]:
        """Return the scores (n,) of a chunk, and the curves of finite maps, if any.

        The scores of other maps are NaN.
        """
        finite = np.isfinite(maps.reshape(len(maps), -1)).all(axis=1)
        scores, curves = np.full(len(maps), np.nan), None
        if not finite.all():
            record.note(f"Maps of {method.name} hold NaN or infinite values.")
        if finite.any():
            own = (self.inputs, self.units, self.masks, self.ids)
            x, y, masks, ids = (_rows(_rows(each, where), finite) for each in own)
            data = {"x": x, "y": y, "masks": masks, "ids": ids, "maps": maps[finite]}
            data |= {"method": method.function, "model": self.model, "seed": seed}
            with _Noted(f"The metric was {metric.name!r}, of {method.name!r}."):
                scores[finite], curves = metric(**data, verbose=0, **self.options)
        if not np.isfinite(scores[finite]).all():
            record.note(f"{metric.name} of some maps of {method.name} is not defined.")
        return scores, curves


class _DrawnMaps:
    """The maps of a chunk for each seed, computed once if they do not depend on it."""

    def __init__(self, maps_of: Callable[[int], Maps], differ: bool):
        self.differ, self._maps_of = differ, maps_of
        self._known: dict[int, Maps] = {}

    def at(self, seed: int) -> Maps:
        key = seed if self.differ else 0
        if key not in self._known:
            self._known[key] = self._maps_of(seed)
        return self._known[key]


class _Noted:
    """Adds a note to errors, which says where they arose."""

    def __init__(self, note: str):
        self._note = note

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        if isinstance(error, Exception):
            error.add_note(self._note)


def _rows(data: Any, chosen: Any) -> Any:
    """Return the chosen rows of an array; all else is the same for all images."""
    return data[chosen] if isinstance(data, np.ndarray) else data
