"""The images of an evaluation, which methods explain and metrics score."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
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
from keras_explainable.execution.compilation import describe
from keras_explainable.execution.method_checks import is_shortcut
from keras_explainable.inspection.model_fingerprint import fingerprint
from keras_explainable.metrics.data_arrays import checked_units
from keras_explainable.metrics.map_arrays import Floats, checked_masks
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
        seeds: The seed of each repetition.
        options: Parameters of ``explain`` and of metrics that take them.
        notes: What is missing in the scores, and why.
    """

    model: Model
    inputs: NDArray[np.float32]
    y: Any
    given_masks: Any
    ids: NDArray[np.int64]
    methods: list[Method]
    metrics: list[Metric]
    seeds: range
    options: dict[str, Any]
    notes: list[str] = field(default_factory=list)

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

    def evaluation(self, verbose: Any) -> Evaluation:
        """Return all scores, or those known when Ctrl-C was pressed."""
        shape = len(self.methods), len(self.metrics), len(self.seeds), len(self.ids)
        samples = np.full(shape, np.nan)
        progress = Progress(self.model, None, verbose, 1, len(self.ids), "scores")
        try:
            self._fill(samples, progress)
        except KeyboardInterrupt:
            known = np.isfinite(samples.mean(axis=2)).any(axis=(0, 1))
            if not known.any():
                raise
            self._note(f"Stopped at {known.sum()} of {len(known)} images.")
            warn(self.notes[-1])
            return self._result(samples[..., known], self.ids[known])
        return self._result(samples, self.ids)

    def _result(self, samples: Floats, ids: NDArray[np.int64]) -> Evaluation:
        facts = {
            "model": fingerprint(self.model),
            "seed": self.seeds[0],
            "repetitions": len(self.seeds),
            "units": self._kind_of_units(),
            "parameters of methods": [each.description for each in self.methods],
            "parameters of metrics": [each.description for each in self.metrics],
            COMMON: [each.name for each in self.metrics if each.draws_for_all],
        }
        return Evaluation(
            samples,
            ids,
            tuple(each.name for each in self.methods),
            tuple(each.name for each in self.metrics),
            tuple(each.name for each in self.methods if each.is_control),
            tuple(each.higher_is_better for each in self.metrics),
            tuple(self.notes),
            facts,
        )

    def _kind_of_units(self) -> str:
        if isinstance(self.units, np.ndarray):
            return f"{self.units.reshape(len(self.units), -1).shape[1]} of each image"
        return "all" if self.units is None else describe(self.units)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _fill(self, samples: Floats, progress: Progress) -> None:
        """Write the scores into ``samples`` (M, Q, R, N), chunk by chunk."""
        cells = len(self.methods) * len(self.metrics)
        for where in progress.steps(_chunks(len(self.ids))):
            count, done = len(self.ids[where]), 0
            report = progress.of_batch(count)
            for method, found in zip(self.methods, samples, strict=True):
                for _ in self._scored(method, where, found[..., where]):
                    done += 1
                    report(count * done, count * cells)

    def _scored(self, method: Method, where: slice, found: Floats) -> Iterator[None]:
        """Write the scores (Q, R, n) of a method, those of a metric at each step."""
        drawn = _DrawnMaps(lambda seed: self._maps(method, where, seed), method.draws)
        for metric, scores in zip(self.metrics, found, strict=True):
            if "method" in metric.needs and method.function is None:
                self._note(f"{metric.name} needs a method; {method.name} are maps.")
            else:
                if metric.compares_values and is_shortcut(method.function):
                    self._note(
                        f"{metric.name} compares values with the model's, but maps of "
                        f"{method.name} are postprocessed; methods of `ke.methods` "
                        "return their own."
                    )
                self._repeat(method, metric, where, drawn, scores)
            yield

    def _repeat(
        self,
        method: Method,
        metric: Metric,
        where: slice,
        drawn: "_DrawnMaps",
        scores: Floats,
    ) -> None:
        """Write the scores (R, n) of a chunk by one metric, for each seed."""
        for number, seed in enumerate(self.seeds):
            maps = drawn.at(seed)
            if number and not (drawn.differ or metric.draws(maps)):
                scores[number] = scores[0]
                continue
            scores[number] = self._scores(method, metric, where, maps, seed)

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
        self, method: Method, metric: Metric, where: slice, maps: Maps, seed: int
    ) -> Floats:
        """Return the scores (n,) of a chunk; NaN for maps that are not finite."""
        finite = np.isfinite(maps.reshape(len(maps), -1)).all(axis=1)
        scores = np.full(len(maps), np.nan)
        if not finite.all():
            self._note(f"Maps of {method.name} hold NaN or infinite values.")
        if finite.any():
            own = (self.inputs, self.units, self.masks, self.ids)
            x, y, masks, ids = (_rows(_rows(each, where), finite) for each in own)
            data = {"x": x, "y": y, "masks": masks, "ids": ids, "maps": maps[finite]}
            data |= {"method": method.function, "model": self.model, "seed": seed}
            with _Noted(f"The metric was {metric.name!r}, of {method.name!r}."):
                scores[finite] = metric(**data, verbose=0, **self.options)
        if not np.isfinite(scores[finite]).all():
            self._note(f"{metric.name} of some maps of {method.name} is not defined.")
        return scores


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


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, CHUNK):
        yield slice(start, start + CHUNK)
