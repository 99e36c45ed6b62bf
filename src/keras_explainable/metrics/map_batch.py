"""Inputs of one batch with their maps, whose perturbed copies the network scores.

Copies go through one compiled step in full chunks. Only their scores are kept, so that
memory does not grow with the size of their inputs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from keras import ops
from numpy.typing import NDArray

from keras_explainable.common.structures import take_rows
from keras_explainable.execution.compilation import compiled
from keras_explainable.metrics.map_arrays import Floats
from keras_explainable.metrics.replacement import Replacement, replacement
from keras_explainable.network import output_units
from keras_explainable.network.masked_steps import known_unmasked_steps, where_shown
from keras_explainable.sampling.schedule import Copies, Schedule
from keras_explainable.types import Model, Tensor

#: Function of a chunk of copies to the pixels that they hide, (R, ...).
Hide = Callable[[Copies], Any]


@dataclass(frozen=True)
class MapBatch:
    """A batch of B inputs, of which the first N are in use, and the maps of these.

    Attributes:
        model: Network that runs.
        inputs: Inputs (B, ..., C) as the network takes them.
        indices: Units (B, K).
        ids: Ids of the inputs (B,).
        maps: Maps (N, ..., K).
        rows: The most rows that go through the network at once.
        seed: Seed of all that is drawn.
        progress: Function that is called with the number of copies done, and their
            total.
    """

    model: Model
    inputs: Tensor
    indices: Tensor
    ids: NDArray[np.int64]
    maps: Floats
    rows: int
    seed: int
    progress: Callable[[int, int], None]

    @property
    def used(self) -> int:
        """The number N of inputs in use."""
        return len(self.maps)

    @property
    def units(self) -> int:
        """The number K of units of each input."""
        return self.maps.shape[-1]

    @property
    def shape(self) -> tuple[int, ...]:
        """The spatial axes of the maps."""
        return self.maps.shape[1:-1]

    @property
    def pixels(self) -> int:
        """The number P of pixels of each map."""
        return int(np.prod(self.shape))

    @cached_property
    def scores(self) -> Floats:
        """The scores of the inputs themselves (N, K)."""
        outputs = output_units.forward(self.model, self.inputs, self.rows)
        found = output_units.gather_units(outputs, self.indices)
        return _as_floats(found)[: self.used]

    @cached_property
    def shown(self) -> Tensor | None:
        """The steps that no mask hides, (B, T, 1, ...); None for all."""
        [shown] = known_unmasked_steps(self.model, self.inputs)
        return shown

    def replacement(self, baseline: Any) -> Replacement:
        """Return the function that gives the values of hidden pixels."""
        return replacement(baseline, self.inputs, self.ids, self.seed, self.shown)

    def scores_of_copies(
        self, count: int, hide: Hide, replace: Replacement, units: Any = None
    ) -> Floats:
        """Return the scores (N, count, K) of ``count`` copies of each input.

        Steps that a mask hides from the model stay as they are in all copies.

        Args:
            count: Number of copies of each input.
            hide: Function that says which pixels a chunk of copies hides.
            replace: Function that gives the values of these.
            units: Position k of the only unit whose score of each copy counts,
                (count,), which makes the result (N, count, 1); None for all.
        """
        step = compiled(_scores, self.model)
        schedule = Schedule(np.arange(self.used), count, self.rows, len(self.ids))
        found = np.zeros((self.used, count, self.units if units is None else 1))
        for copies in schedule:
            hidden = ops.convert_to_tensor(hide(copies), "bool")
            indices = take_rows(self.indices, copies.image)
            if units is not None:
                chosen = units[copies.draw].astype("int32")[:, None]
                indices = ops.take_along_axis(indices, chosen, axis=1)
            inputs, others = (
                take_rows(self.inputs, copies.image),
                replace(copies, hidden),
            )
            others = where_shown(self.shown, others, inputs, copies.image)
            scores = _as_floats(step(inputs, hidden, others, indices))
            at = copies.image[copies.used], copies.draw[copies.used]
            found[at] = scores[copies.used]
            self.progress(schedule.done, schedule.total)
        return found


def _scores(
    model: Model, inputs: Tensor, hidden: Tensor, others: Tensor, indices: Tensor
) -> Tensor:
    """Return the units (R, k) of inputs (R, ..., C) with ``others`` where hidden."""
    if len(hidden.shape) < len(inputs.shape):
        hidden = hidden[..., None]
    copies = ops.where(hidden, others, inputs)
    return output_units.gather_units(output_units.units_of(model, copies), indices)


def _as_floats(scores: Tensor) -> Floats:
    return ops.convert_to_numpy(ops.cast(scores, "float32")).astype("float64")
