"""Warn about maps that are zero everywhere, and say why."""

import numpy as np
from keras import ops

from keras_explainable.common.structures import Nested, flatten, is_float, take_rows
from keras_explainable.common.warnings import warn
from keras_explainable.engine.batch_source import Batch
from keras_explainable.inspection.unread_tokens import unread_reason
from keras_explainable.inspection.vanishing_gradients import UNKNOWN, vanishing_reason
from keras_explainable.network.input_kinds import choosing_inputs
from keras_explainable.types import Model, Tensor

ALL_NEGATIVE = (
    "all values were negative before `postprocessing`, which keeps positive ones: what "
    "the map sums up speaks against this unit everywhere. `hirescam` and `layercam` "
    "weight each position by itself, and `postprocessing=None` keeps negative values"
)

ONE_VALUE = (
    "there is a single value, and normalizing leaves nothing of one: "
    "`postprocessing=None` keeps it"
)

NO_QUANTITY = (
    "the input is of integers or booleans, or of tokens that an Embedding inside "
    "another layer reads, which have no derivatives. Methods that hide parts of the "
    "input, such as `occlusion`, show what they do"
)

NOTHING_LEFT = (
    "there are derivatives, but the method or `postprocessing` removed them "
    "(a constant map is normalized to 0)"
)


class ZeroMaps:
    """Counts the maps that are zero everywhere, and explains the first of them."""

    def __init__(self) -> None:
        self.zero, self.maps, self.reason = 0, 0, ""

    def count(self, maps: Nested, batch: Batch, network: Model, raw: Nested) -> None:
        """Count the maps of a batch; find the reason for the first zero map.

        Args:
            maps: Maps as they are returned (NumPy).
            batch: Inputs that were explained.
            network: Network that was run.
            raw: Maps before postprocessing.
        """
        inputs, parts = flatten(batch.inputs), flatten(maps)
        alike = len(inputs) == len(parts) > 1
        for number, part in enumerate(parts):
            if part.ndim < 3 or (alike and not is_float(inputs[number])):
                continue  # Tokens, categories and masks have no derivatives.
            zero = ~part.any(axis=tuple(range(1, part.ndim - 1)))
            if zero.any() and not self.reason:
                row, place = np.argwhere(zero)[0]
                unit = place if batch.indices is None else batch.indices[row, place]
                one = take_rows(batch.inputs, np.array([row]))
                value = flatten(raw)[number][row, ..., place]
                reason = _visible(_quantities(network, inputs), value)
                self.reason = reason or _reason(network, one, int(unit), number)
            self.maps += zero.size
            self.zero += int(zero.sum())

    def warn(self) -> None:
        """Warn if there were any zero maps."""
        if self.zero:
            warn(
                f"{self.zero} of {self.maps} maps are zero everywhere. In the first "
                f"one, {self.reason}."
            )


def _quantities(network: Model, inputs: list[Tensor]) -> bool:
    """Return whether some input is a quantity, and not only tokens or a mask."""
    return any(map(is_float, inputs)) and not all(choosing_inputs(network) or [False])


def _visible(quantities: bool, raw: Tensor) -> str | None:
    """Return a reason that inputs or the map before postprocessing show, if any."""
    values = ops.convert_to_numpy(raw)
    if not values.any():
        return None if quantities else NO_QUANTITY
    if values.size == 1:
        return ONE_VALUE
    return ALL_NEGATIVE if values.min() < 0 and values.max() <= 0 else None


def _reason(model: Model, inputs: Nested, unit: int, number: int) -> str:
    try:
        vanishing = vanishing_reason(model, inputs, unit, number)
        return vanishing or unread_reason(model, inputs, unit) or NOTHING_LEFT
    except Exception:  # The maps must not be lost because no reason was found.
        return UNKNOWN
