"""What a sampling method counts up while it runs."""

import math
from functools import partial
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import Nested, flatten, map_structure
from keras_explainable.network.output_units import gather_units
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.schedule import Copies
from keras_explainable.sampling.standard_error import (
    LEAST_ORDERS,
    ORDERS,
    estimate,
    relative_error,
)
from keras_explainable.sampling.stats import Stats
from keras_explainable.sampling.welford import Moments
from keras_explainable.types import Tensor

#: Draws of an image before its error is believed.
FEWEST = 4


class Accumulators:
    """The accumulators of the maps of each input; of one input there is one."""

    def __init__(self, *args: Any, **options: Any):
        """Args: as for ``Accumulator``."""
        self._new = partial(Accumulator, *args, **options)
        self.parts: Any = None  # Once the maps' structure is known.

    def add(self, logits: Tensor, maps: Nested, outputs: Any, copies: Copies) -> None:
        """Count in what a method found for a chunk; see ``Accumulator.add``."""
        if self.parts is None:
            self.parts = map_structure(lambda _: self._new(), maps)
        map_structure(
            lambda part, x: part.add(logits, x, outputs, copies), self.parts, maps
        )

    @property
    def logits(self) -> Tensor:
        """The chosen logits of the clean inputs (B, K)."""
        return flatten(self.parts)[0].logits

    @property
    def maps(self) -> Nested:
        """The estimates so far (B, ..., K)."""
        return map_structure(lambda part: part.maps, self.parts)

    def converged(self) -> np.ndarray:
        """Return for each image (B,) whether the errors are within the tolerance."""
        return np.all([part.converged() for part in flatten(self.parts)], axis=0)

    def unconverged_warning(self, live: np.ndarray) -> str | None:
        """Return a warning if images are not sure enough; see ``Accumulator.unconverged_warning``."""
        warnings = (part.unconverged_warning(live) for part in flatten(self.parts))
        return next(filter(None, warnings), None)

    def stats(self, sigma: Nested, ids: Any, facts: dict[str, Any]) -> Nested:
        """Return all that is known at the end, of the maps of each input."""
        return map_structure(
            lambda part, of_part: part.stats(of_part, ids, facts), self.parts, sigma
        )


class Accumulator:
    """The maps of each image so far, and what the noise does to the logits."""

    def __init__(
        self, outputs: Tensor, indices: Tensor, sampling: Sampling, *, spread: bool
    ):
        """Start with nothing.

        Args:
            outputs: of the clean inputs (B, units).
            indices: units that are explained (B, K).
            sampling: of antithetic copies the second half of each chunk has the
                opposite noise of the first; the mean of a pair is what is counted.
            spread: whether standard errors are wanted; a tolerance needs them anyway.
        """
        spread = spread or sampling.tolerance is not None
        orders = ORDERS if spread else LEAST_ORDERS
        self.sampling = sampling
        self.moments = Moments(len(outputs), orders[sampling.statistic])
        self.units, self.outputs = _numpy(indices), _numpy(outputs)
        self.logits = gather_units(outputs, indices)
        self.flips = np.zeros(len(outputs), "int64")
        self.drifts = np.zeros(self.units.shape)

    def add(
        self, logits: Tensor, maps: Tensor, outputs: list[Tensor], copies: Copies
    ) -> None:
        """Count in what a method found for a chunk; of outputs there may be none."""
        if self.sampling.statistic == "square":
            maps = ops.square(maps)
        if self.sampling.copies == 2:
            half = len(copies.image)
            maps = (maps[:half] + maps[half:]) / 2
        self.moments.add(maps, copies.image, copies.used)
        backend.block_until_ready(self.moments.state[0])
        if outputs:
            self.add_prediction_changes(_numpy(logits), _numpy(outputs[0]), copies)

    def add_prediction_changes(
        self, logits: np.ndarray, outputs: np.ndarray, copies: Copies
    ) -> None:
        """Count in the logits (R, K) and all outputs (R, units) of a chunk."""
        image, used = (
            np.tile(part, self.sampling.copies) for part in (copies.image, copies.used)
        )
        changed = outputs.argmax(axis=-1) != self.outputs.argmax(axis=-1)[image]
        np.add.at(self.flips, image, changed & used)
        drift = (logits - _numpy(self.logits)[image]) * used[:, None]
        np.add.at(self.drifts, image, drift)

    def set_estimates(
        self, maps: Tensor, squared: np.ndarray, draws: np.ndarray
    ) -> None:
        """Take maps that were estimated in another way than by counting.

        Args:
            maps: (B, ..., K).
            squared: their squared errors (B, K), which are spread evenly.
            draws: of each image (B,).
        """
        values = math.prod(maps.shape[1:-1])
        spread = squared * (np.maximum(draws * (draws - 1), 1) / values)[:, None]
        shape = (len(draws), *(1,) * (len(maps.shape) - 2), maps.shape[-1])
        even = ops.cast(ops.reshape(spread, shape), maps.dtype)
        self.moments.state = [maps, ops.broadcast_to(even, maps.shape)]
        self.moments.counts = draws

    @property
    def maps(self) -> Tensor:
        """The estimate so far (B, ..., K)."""
        return estimate(*self._parts)

    @property
    def repetitions(self) -> np.ndarray:
        """Noisy copies of each image so far (B,)."""
        return self.moments.counts * self.sampling.copies

    def errors(self) -> np.ndarray:
        """Return the relative error of each image (B,), of its worst unit."""
        errors = relative_error(*self._parts).max(axis=-1)
        return np.where(self.moments.counts >= FEWEST, errors, np.inf)

    def converged(self) -> np.ndarray:
        """Return for each image (B,) whether its error is within the tolerance."""
        if self.sampling.tolerance is None:
            return np.zeros(len(self.flips), bool)
        return self.errors() <= self.sampling.tolerance

    def unconverged_warning(self, live: np.ndarray) -> str | None:
        """Return a warning if images are not sure enough, of those that are ``live``.

        Args:
            live: booleans (B,).
        """
        tolerance = self.sampling.tolerance
        if tolerance is None or (above := ~self.converged()[live]).sum() == 0:
            return None
        error, had = max(zip(self.errors()[live], self.repetitions[live], strict=True))
        return (
            f"{above.sum()} of {live.sum()} images have a relative error above the "
            f"`tolerance` of {tolerance:g} after all `repetitions`; the worst one has "
            f"{error:.2g} and needs {_needed(error, had, tolerance)}."
        )

    def stats(self, sigma: np.ndarray, ids: Any, facts: dict[str, Any]) -> Stats:
        """Return all that is known at the end."""
        first = np.full(len(self.flips), self.sampling.start)
        return Stats(
            state=tuple(map(_numpy, self.moments.state)),
            counts=self.moments.counts,
            draws=np.stack([first, first + self.repetitions], axis=-1)[None],
            sigma=sigma,
            flips=self.flips,
            drifts=self.drifts,
            repetitions=self.repetitions,
            logits=_numpy(self.logits),
            ids=ids,
            units=self.units,
            facts={"statistic": self.sampling.statistic, "seed": self.sampling.seed}
            | facts,
        )

    @property
    def _parts(self) -> tuple[Any, np.ndarray, str]:
        return self.moments.state, self.moments.counts, self.sampling.statistic


def _needed(error: float, had: int, tolerance: float) -> str:
    """Say about how many repetitions bring the error down to the tolerance.

    The squared norm of a mean has that of its error in it.
    """
    if error >= 1:
        return "many more"
    share = error**2 / (1 - error**2) * (1 - tolerance**2) / tolerance**2
    return f"about {math.ceil(had * share):,} in all"


def _numpy(x: Any) -> np.ndarray:
    return ops.convert_to_numpy(x)
