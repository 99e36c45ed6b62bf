"""What is known of the maps of an explanation, besides their values."""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from keras_explainable.common.unit_names import (
    Names,
    hint_of_units,
    names_of_units,
)
from keras_explainable.inspection.model_fingerprint import fingerprint
from keras_explainable.types import Model


class LazyFingerprint:
    """The fingerprint of a model, computed when it is first asked for.

    It does not keep the model alive. If the model is gone by then, there is none.
    """

    def __init__(self, value: str | None = None):
        self._value, self._model = value, _nothing

    @classmethod
    def of(cls, model: Model) -> Self:
        """Return the fingerprint of a model, still to be computed."""
        found = cls()
        try:
            found._model = weakref.ref(model)
        except TypeError:  # Some callables have no weak references.
            found._value = fingerprint(model)
        return found

    @property
    def value(self) -> str | None:
        """The fingerprint; None if it is unknown."""
        model = self._model()
        if self._value is None and model is not None:
            self._value = fingerprint(model)
        return self._value

    def __reduce__(self) -> tuple[Any, ...]:
        return LazyFingerprint, (self.value,)


def _nothing() -> Any:
    return None


@dataclass(frozen=True)
class Facts:
    """What is known of the maps; ``Explanation`` describes its attributes of that name.

    Attributes:
        model: Fingerprint of the model.
        several_inputs: Whether there are maps for each of several inputs.
        input_names: Names of the inputs of a model that takes a list of them.
        unit_count: Number of units of the model; None if it is unknown.
    """

    method: str
    preprocessing: str | None = None
    units: NDArray[np.integer[Any]] | None = None
    labels: NDArray[np.str_] | None = None
    images: Any = None
    model: LazyFingerprint = field(default_factory=LazyFingerprint)
    several_inputs: bool = False
    input_names: tuple[str, ...] = ()
    unit_count: int | None = None

    def with_labels(self, names: Names, shape: tuple[int, ...]) -> "Facts":
        """Return the facts with names of the units of logits of a shape."""
        units = self.units
        if units is None:
            units = np.broadcast_to(np.arange(shape[-1]), shape)
        numbers, places = np.unique(units, return_inverse=True)
        named = names_of_units(names, self.unit_count)
        own = [_name(named, int(each), self.unit_count) for each in numbers]
        found = np.array(own)
        return replace(self, labels=found[places].reshape(shape))


def _name(names: Names, unit: int, units: int | None) -> str:
    by_unit = isinstance(names, Mapping)
    known = unit in names if by_unit else unit < len(names)
    several = units == 1 and not by_unit and len(names) > 1
    if isinstance(names, str) or not known or several:
        found = f"{type(names).__name__} of {len(names)}"
        without = "" if several else f" without unit {unit}"
        raise ValueError(
            "`names` must be a list or dictionary with a name for each unit; received "
            f"{found}{without}.{hint_of_units(units)}"
        )
    return str(names[unit])
