"""The metrics of an evaluation, by name, called by the names of their parameters."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable import metrics as known
from keras_explainable.common import near_names
from keras_explainable.engine.explainer import bound_keywords
from keras_explainable.evaluation.code_number import code_number
from keras_explainable.execution.compilation import describe, display_name
from keras_explainable.execution.model_preparation import unwrapped
from keras_explainable.metrics.map_arrays import Floats

#: What an evaluation gives to metrics that have a parameter of this name.
GIVEN = ("method", "model", "x", "y", "maps", "masks")
OPTIONS = ("ids", "seed", "batch_size", "verbose")

#: Baselines of pixels that are drawn.
DRAWN = ("uniform", "noisy_linear")


@dataclass(frozen=True)
class Metric:
    """A metric to evaluate with.

    Attributes:
        name: Its name in the table.
        function: The metric, or a partial of it.
        higher_is_better: Its orientation.
        takes: Names of ``GIVEN`` and ``OPTIONS`` that it takes.
        needs: Those of them that have no default.
    """

    name: str
    function: Callable[..., Any]
    higher_is_better: bool
    takes: frozenset[str]
    needs: frozenset[str]

    @property
    def is_own(self) -> bool:
        """Whether it is a function of the user's."""
        return unwrapped(self.function) not in vars(known).values()

    @property
    def draws_for_all(self) -> bool:
        """Whether all images may share its draws."""
        shared = unwrapped(self.function) in (known.mprt, known.efficient_mprt)
        return shared or (self.is_own and "seed" in self.takes)

    @property
    def compares_values(self) -> bool:
        """Whether it compares sums of a map with the model's outputs."""
        return getattr(unwrapped(self.function), "compares_values", False)

    @property
    def description(self) -> str:
        """What it is, with the parameters of a partial, and which function it is."""
        text, inner = describe(self.function), unwrapped(self.function)
        return f"{text} {code_number(inner)}" if self.is_own else text

    def draws(self, maps: NDArray[Any]) -> bool:
        """Whether its scores of maps depend on the seed.

        Pixels of equal values are put into an order that is random, too.
        """
        if "seed" not in self.takes:
            return False
        parameters = inspect.signature(self.function).parameters
        baseline = parameters["baseline"].default if "baseline" in parameters else None
        is_drawn = isinstance(baseline, str) and baseline in DRAWN
        draws = "draws" in parameters or "method" in self.takes or is_drawn
        return self.is_own or draws or _has_ties(maps)

    @property
    def curve_order(self) -> str | None:
        """The order of the pixels along the curve of which it is the area, if any."""
        inner = unwrapped(self.function)
        orders = ((known.deletion, "morf"), (known.insertion, "insertion"))
        return next((order for each, order in orders if each is inner), None)

    def __call__(self, **data: Any) -> tuple[Floats, known.Curves | None]:
        """Return the scores (N,) of images, means over their units, and their curves.

        Raises:
            ValueError: If the metric returns anything but scores (N,) or (N, K).
        """
        given = {name: data[name] for name in self.takes & {*data}}
        curves = self._curves(given) if self.curve_order else None
        found = curves.area if curves else self.function(**given)
        scores = np.asarray(found, "float64")
        count = len(data["x"])
        if scores.ndim not in (1, 2) or len(scores) != count:
            raise ValueError(
                f"`metrics` must return scores (N, K); {self.name!r} returned shape "
                f"{scores.shape} for {count} images."
            )
        return scores.reshape(count, -1).mean(axis=1), curves

    def _curves(self, given: dict[str, Any]) -> known.Curves:
        parameters = inspect.signature(self.function).parameters
        bound = {name: x.default for name, x in parameters.items() if name not in given}
        order = str(self.curve_order)
        return known.perturbation_curves(order=order, **bound, **given)


def named_metrics(metrics: Any, has_masks: bool) -> list[Metric]:
    """Return the metrics to evaluate with.

    Args:
        metrics: Functions by name; or a list of them and of names of ``ke.metrics``.
        has_masks: Whether there are masks.

    Raises:
        TypeError: If a metric is not a function, or needs a parameter that it is not
            given.
        ValueError: If a name is unknown or there twice, a metric has no orientation, or
            needs masks and there are none.
    """
    if isinstance(metrics, str) or not isinstance(metrics, list | tuple | Mapping):
        raise TypeError(
            "`metrics` must be a list of metrics or their names, or a dictionary by "
            f"name; received {metrics!r:.60}."
        )
    pairs = metrics.items() if isinstance(metrics, Mapping) else map(_named, metrics)
    found = [_metric(name, given) for name, given in pairs]
    names = [each.name for each in found]
    if not found or len({*names}) < len(names):
        raise ValueError(
            "`metrics` must be at least one metric, with a name of its own for each "
            f"(a dictionary gives names); received {names}."
        )
    needy = [each.name for each in found if "masks" in each.needs]
    if needy and not has_masks:
        raise ValueError(
            f"`masks` must be given for {', '.join(needy)}; received None."
        )
    if has_masks and not needy:
        raise ValueError(
            "`masks` must be None unless a metric compares maps with them, such as "
            f"'pointing_game'; received masks for {', '.join(names)}."
        )
    return found


def _named(metric: Any) -> tuple[str, Any]:
    return (metric if isinstance(metric, str) else display_name(metric)), metric


def _metric(name: str, given: Any) -> Metric:
    function = _known(given) if isinstance(given, str) else given
    if not callable(function):
        raise TypeError(f"`metrics` must be functions; received {given!r:.60}.")
    orientation = getattr(unwrapped(function), "higher_is_better", None)
    if not isinstance(orientation, bool):
        raise ValueError(
            "`metrics` must have the attribute `higher_is_better`, True or False; "
            f"received {name!r} without it."
        )
    return Metric(name, function, orientation, *_taken(name, function))


def _known(name: str) -> Any:
    every = [each for each in known.__all__ if _is_metric(getattr(known, each))]
    if name not in every:
        raise ValueError(
            f"`metrics` must be among {', '.join(every)}, or functions; received "
            f"{name!r}{near_names.question(name, every) or '.'}"
        )
    return getattr(known, name)


def _is_metric(function: Any) -> bool:
    return hasattr(function, "higher_is_better")


def _taken(
    name: str, function: Callable[..., Any]
) -> tuple[frozenset[str], frozenset[str]]:
    """Return what a metric takes and no partial has bound, and what it needs of it."""
    bound = bound_keywords(function)
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError as error:
        unknown = {*bound} - {*inspect.signature(unwrapped(function)).parameters}
        raise TypeError(
            f"`metrics` must have parameters of their own; {name!r} has no parameter "
            f"{', '.join(map(repr, sorted(unknown)))}."
        ) from error
    named = [each for each in parameters if each.kind not in (each.VAR_KEYWORD,)]
    missing = [
        each.name
        for each in named
        if each.default is each.empty and each.name not in (*GIVEN, *OPTIONS)
    ]
    if missing:
        raise TypeError(
            f"`metrics` must have values for all but {', '.join(GIVEN + OPTIONS)}; "
            f"{name!r} also needs {', '.join(missing)}: use `functools.partial`."
        )
    taken = {x.name: x for x in named if x.name not in bound}
    taken = {key: x for key, x in taken.items() if key in (*GIVEN, *OPTIONS)}
    needed = (key for key, x in taken.items() if x.default is x.empty)
    return frozenset(taken), frozenset(needed)


def _has_ties(maps: NDArray[Any]) -> bool:
    flat = np.sort(maps.reshape(len(maps), -1, maps.shape[-1]), axis=1)
    return bool((flat[:, 1:] == flat[:, :-1]).any())
