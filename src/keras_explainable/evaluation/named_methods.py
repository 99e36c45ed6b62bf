"""The methods of an evaluation, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common import near_names
from keras_explainable.engine import shortcuts
from keras_explainable.engine.data_iterators import as_numpy
from keras_explainable.engine.explainer import explainer, takes_seed
from keras_explainable.engine.explanation.explanation import AnyExplanation
from keras_explainable.evaluation.controls import CONTROLS
from keras_explainable.execution.compilation import describe, display_name
from keras_explainable.execution.method_checks import is_shortcut
from keras_explainable.network.model_inputs import shape_text

#: Function of images and their units, a slice of all, ids and a seed, to their maps.
Maps = Callable[..., NDArray[Any]]


@dataclass(frozen=True)
class Method:
    """A method to evaluate.

    Attributes:
        name: Its name in the table.
        function: Method or shortcut; None if its maps were computed before.
        maps: Maps (N, H, W, K) computed before; None otherwise.
        is_control: Whether it is one of ``CONTROLS``.
    """

    name: str
    function: Callable[..., Any] | None
    maps: NDArray[Any] | None = None
    is_control: bool = False

    @property
    def draws(self) -> bool:
        """Whether its maps depend on a seed."""
        return self.function is not None and takes_seed(self.function)

    @property
    def description(self) -> str:
        """What it is, with the parameters of a partial."""
        return "maps" if self.function is None else describe(self.function)

    def maps_of(
        self, model: Any, x: Any, y: Any, where: slice, seed: int, **options: Any
    ) -> NDArray[Any]:
        """Return the maps of the images ``where``, with the method's own draws."""
        if self.maps is not None:
            return self.maps[where]
        return np.asarray(self.explained(model, x, y, seed, **options)[1])

    def explained(
        self, model: Any, x: Any, y: Any, seed: int, **options: Any
    ) -> AnyExplanation:
        """Return what the method returns, with draws of a seed if there are any."""
        if self.draws:
            options["seed"] = seed
        return explainer(self.function)(model, x, y, verbose=0, **options)


def named_methods(
    methods: Any, controls: bool, inputs: tuple[int, ...]
) -> list[Method]:
    """Return the methods to evaluate, then the controls.

    Args:
        methods: Methods, shortcuts, names of shortcuts or maps, by name; or a list of
            all but maps.
        controls: Whether there are controls.
        inputs: Shape of the inputs (N, ..., C).

    Raises:
        TypeError: If a method is none of these.
        ValueError: If a name is unknown or there twice, or maps have another shape.
    """
    pairs = list(methods.items() if isinstance(methods, Mapping) else _named(methods))
    found = [_method(name, given, inputs) for name, given in pairs]
    if controls:
        found += [Method(name, each, None, True) for name, each in CONTROLS.items()]
    names = [each.name for each in found]
    if not pairs or len({*names}) < len(names):
        raise ValueError(
            "`methods` must be at least one method, with a name of its own for each, "
            "other than those of controls (a dictionary gives names); received "
            f"{names}."
        )
    return found


def _named(methods: Any) -> list[tuple[str, Any]]:
    if not isinstance(methods, list | tuple):
        raise TypeError(
            "`methods` must be a dictionary by name, or a list of methods; received "
            f"{type(methods).__name__}."
        )
    return [(x if isinstance(x, str) else display_name(x), x) for x in methods]


def _method(name: str, given: Any, inputs: tuple[int, ...]) -> Method:
    if isinstance(given, str):
        return Method(name, _shortcut(given))
    if callable(given):
        explainer(given)  # Raises for what is no method.
        return Method(name, given)
    maps = as_numpy(given, f"methods[{name!r}]")
    if maps.shape[:-1] != inputs[:-1] or maps.ndim != len(inputs):
        wanted = shape_text((*inputs[:-1], "K"))
        raise ValueError(
            f"`methods[{name!r}]` must be a method, the name of a shortcut, or maps "
            f"{wanted}; received {shape_text(maps.shape)}."
        )
    return Method(name, None, maps)


def _shortcut(name: str) -> Callable[..., Any]:
    every = {key: each for key, each in vars(shortcuts).items() if is_shortcut(each)}
    if name not in every:
        raise ValueError(
            "`methods` must name shortcuts, such as 'smoothgrad'; received "
            f"{name!r}{near_names.question(name, every) or '.'}"
        )
    return every[name]
