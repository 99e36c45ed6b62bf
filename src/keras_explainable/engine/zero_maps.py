"""Maps that are zero everywhere, and the reason."""

from typing import Any

import numpy as np

from keras_explainable.common.structures import Nested, flatten, take_rows
from keras_explainable.common.warnings import warn
from keras_explainable.inspection.vanishing_gradients import UNKNOWN, vanishing_reason
from keras_explainable.types import Model

NOTHING_LEFT = (
    "there are derivatives, but the method or `postprocessing` left nothing of them "
    "(a constant map is normalized to 0)"
)


class ZeroMaps:
    """Maps that are zero everywhere, and why the first of them is."""

    def __init__(self) -> None:
        self.blank, self.maps, self.reason = 0, 0, ""

    def look(self, model: Model, inputs: Nested, indices: Any, maps: Nested) -> None:
        """Count the maps of a batch, which are of ``model``'s units (B, K)."""
        for number, part in enumerate(flatten(maps)):
            if part.ndim < 3:
                continue
            blank = ~part.any(axis=tuple(range(1, part.ndim - 1)))
            if blank.any() and not self.reason:
                row, place = np.argwhere(blank)[0]
                unit = place if indices is None else indices[row, place]
                one = take_rows(inputs, np.array([row]))
                self.reason = _why(model, one, int(unit), number)
            self.maps += blank.size
            self.blank += int(blank.sum())

    def warn(self) -> None:
        """Warn if there were any."""
        if self.blank:
            warn(
                f"{self.blank} of {self.maps} maps are zero everywhere. In the first "
                f"one, {self.reason}."
            )


def _why(model: Model, inputs: Nested, unit: int, number: int) -> str:
    try:
        return vanishing_reason(model, inputs, unit, number) or NOTHING_LEFT
    except Exception:  # The reason is a courtesy: maps are not to be lost for it.
        return UNKNOWN
