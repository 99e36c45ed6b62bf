"""Warn about maps that hold NaN or infinite values, and say where these arise."""

import numpy as np

from keras_explainable.common.structures import Nested, flatten, take_rows
from keras_explainable.common.warnings import warn
from keras_explainable.engine.batch_source import Batch
from keras_explainable.inspection.vanishing_gradients import nonfinite_reason
from keras_explainable.types import Model

#: Images whose positions are listed in the warning.
LISTED = 5


class NonFiniteMaps:
    """Collects the images whose maps are not finite, and explains the first of them."""

    def __init__(self) -> None:
        self.images: list[int] = []
        self.seen, self.reason = 0, ""

    def count(self, results: Nested, batch: Batch, network: Model) -> None:
        """Count the images of a batch, given its logits and maps (NumPy)."""
        bad = np.zeros(batch.used, bool)
        for part in flatten(results):
            finite = np.isfinite(part)
            bad |= ~finite.all(axis=tuple(range(1, part.ndim)))
        rows = np.flatnonzero(bad)
        self.seen += batch.used
        self.images += [batch.position + int(row) for row in rows]
        if len(rows) and not self.reason:
            self.reason = _reason(network, take_rows(batch.inputs, rows[:1]))

    def warn(self) -> None:
        """Warn if there were any such images."""
        if self.images:
            listed = ", ".join(map(str, self.images[:LISTED]))
            more = ", ..." if len(self.images) > LISTED else ""
            warn(
                f"The logits or maps of {len(self.images)} of {self.seen} images hold "
                f"NaN or infinite values (images {listed}{more}). In the first one, "
                f"{self.reason}."
            )


def _reason(model: Model, inputs: Nested) -> str:
    try:
        return nonfinite_reason(model, inputs)
    except Exception:  # The maps must not be lost because no reason was found.
        return "it is not known where they arise"
