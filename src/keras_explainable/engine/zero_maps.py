"""Warn about maps that are zero everywhere, and say why."""

import numpy as np

from keras_explainable.common.structures import Nested, flatten, take_rows
from keras_explainable.common.warnings import warn
from keras_explainable.engine.batch_source import Batch
from keras_explainable.inspection.vanishing_gradients import UNKNOWN, vanishing_reason
from keras_explainable.types import Model

NOTHING_LEFT = (
    "there are derivatives, but the method or `postprocessing` removed them "
    "(a constant map is normalized to 0)"
)


class ZeroMaps:
    """Counts the maps that are zero everywhere, and explains the first of them."""

    def __init__(self) -> None:
        self.zero, self.maps, self.reason = 0, 0, ""

    def count(self, maps: Nested, batch: Batch, network: Model) -> None:
        """Count the maps of a batch (NumPy); find the reason for the first zero map."""
        for number, part in enumerate(flatten(maps)):
            if part.ndim < 3:
                continue
            zero = ~part.any(axis=tuple(range(1, part.ndim - 1)))
            if zero.any() and not self.reason:
                row, place = np.argwhere(zero)[0]
                unit = place if batch.indices is None else batch.indices[row, place]
                one = take_rows(batch.inputs, np.array([row]))
                self.reason = _reason(network, one, int(unit), number)
            self.maps += zero.size
            self.zero += int(zero.sum())

    def warn(self) -> None:
        """Warn if there were any zero maps."""
        if self.zero:
            warn(
                f"{self.zero} of {self.maps} maps are zero everywhere. In the first "
                f"one, {self.reason}."
            )


def _reason(model: Model, inputs: Nested, unit: int, number: int) -> str:
    try:
        return vanishing_reason(model, inputs, unit, number) or NOTHING_LEFT
    except Exception:  # The maps must not be lost because no reason was found.
        return UNKNOWN
