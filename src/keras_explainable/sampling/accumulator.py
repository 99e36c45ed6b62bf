"""Accumulating the maps of a sampling method, and the effect of noise on logits."""

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
from keras_explainable.sampling.standard_error import ORDERS, estimate, relative_error
from keras_explainable.sampling.stats import Stats
from keras_explainable.sampling.welford import Moments
from keras_explainable.types import Tensor

_numpy = ops.convert_to_numpy

#: Draws of an image before its estimated error is trusted.
MIN_DRAWS = 4


class Accumulators:
    """One accumulator for each input of a model, in the structure of its maps."""

    def __init__(self, *args: Any, **options: Any):
        """Start empty, with the arguments of ``Accumulator``."""
        self._new = partial(Accumulator, *args, **options)
        self.parts: Any = None  # Set when the maps' structure is known.

    def add(self, logits: Tensor, maps: Nested, outputs: Any, copies: Copies) -> None:
        """Add the results of a chunk; see ``Accumulator.add``."""
        if self.parts is None:
            self.parts = map_structure(lambda _: self._new(), maps)
        map_structure(
            lambda part, x: part.add(logits, x, outputs, copies), self.parts, maps
        )

    @property
    def logits(self) -> Tensor:
        """The selected logits of the clean inputs (B, K)."""
        return flatten(self.parts)[0].logits

    @property
    def maps(self) -> Nested:
        """The estimates so far (B, ..., K)."""
        return map_structure(lambda part: part.maps, self.parts)

    def converged(self) -> np.ndarray:
        """Return whether each image's errors are within the tolerance, shape (B,)."""
        return np.all([part.converged() for part in flatten(self.parts)], axis=0)

    def unconverged_warning(self, valid: np.ndarray) -> str | None:
        """Return the first of the accumulators' warnings; None if all converged."""
        warnings = (part.unconverged_warning(valid) for part in flatten(self.parts))
        return next(filter(None, warnings), None)

    def stats(self, sigma: Nested, ids: Any, facts: dict[str, Any]) -> Nested:
        """Return the final ``Stats`` of each input's maps.

        Maps of a layer, which may depend on any input, have the noise of all inputs.
        """
        if len(flatten(self.parts)) < len(flatten(sigma)):
            all_inputs = np.concatenate(flatten(sigma), axis=1)
            sigma = map_structure(lambda _: all_inputs, self.parts)
        return map_structure(
            lambda part, scale: part.stats(scale, ids, facts), self.parts, sigma
        )


class Accumulator:
    """The moments of each image's maps so far, and changes of its prediction."""

    def __init__(
        self, outputs: Tensor, indices: Tensor, sampling: Sampling, *, with_errors: bool
    ):
        """Start empty.

        Args:
            outputs: Outputs for the clean inputs, shape (B, units).
            indices: Explained units, shape (B, K).
            sampling: Sampling parameters. With antithetic copies, the second half of
                each chunk has the opposite noise of the first, and the mean of a pair
                counts as one map.
            with_errors: Whether standard errors are needed; a tolerance implies it.
        """
        with_errors = with_errors or sampling.tolerance is not None
        self.sampling = sampling
        order = ORDERS[sampling.statistic] * (1 + with_errors)
        self.moments = Moments(len(outputs), order)
        self.units, self.outputs = _numpy(indices), _numpy(outputs)
        self.logits = gather_units(outputs, indices)
        self.flips = np.zeros(len(outputs), "int64")
        self.drifts = np.zeros(self.units.shape)

    def add(
        self, logits: Tensor, maps: Tensor, outputs: list[Tensor], copies: Copies
    ) -> None:
        """Add the results of a chunk; ``outputs`` holds all units, or is empty."""
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
        """Add changes of the logits (R, K) and of the class by outputs (R, units)."""
        repeats = self.sampling.copies
        image, used = np.tile(copies.image, repeats), np.tile(copies.used, repeats)
        changed = _classes(outputs) != _classes(self.outputs)[image]
        np.add.at(self.flips, image, changed & used)
        drift = (logits - _numpy(self.logits)[image]) * used[:, None]
        np.add.at(self.drifts, image, drift)

    def set_estimates(
        self, maps: Tensor, squared: np.ndarray, draws: np.ndarray
    ) -> None:
        """Replace the moments by maps that were estimated in another way.

        Args:
            maps: Estimated maps, shape (B, ..., K).
            squared: Squared norms of their errors, shape (B, K), which are distributed
                evenly over the values of each map.
            draws: Number of draws of each image, shape (B,).
        """
        values = math.prod(maps.shape[1:-1])
        squares = squared * (np.maximum(draws * (draws - 1), 1) / values)[:, None]
        shape = (len(draws), *(1,) * (len(maps.shape) - 2), maps.shape[-1])
        squares = ops.cast(ops.reshape(squares, shape), maps.dtype)
        self.moments.state = [maps, ops.broadcast_to(squares, maps.shape)]
        self.moments.counts = draws

    @property
    def maps(self) -> Tensor:
        """The estimates so far (B, ..., K)."""
        return estimate(*self._estimate_args)

    @property
    def repetitions(self) -> np.ndarray:
        """The number of noisy copies of each image so far (B,)."""
        return self.moments.counts * self.sampling.copies

    def errors(self) -> np.ndarray:
        """Return the relative error of each image's worst unit, shape (B,)."""
        errors = relative_error(*self._estimate_args).max(axis=-1)
        return np.where(self.moments.counts >= MIN_DRAWS, errors, np.inf)

    def converged(self) -> np.ndarray:
        """Return whether each image's error is within the tolerance, shape (B,)."""
        if self.sampling.tolerance is None:
            return np.zeros(len(self.flips), bool)
        return self.errors() <= self.sampling.tolerance

    def unconverged_warning(self, valid: np.ndarray) -> str | None:
        """Return a warning if images have not converged; None if all have.

        Args:
            valid: Mask of the images that are not padding, shape (B,).
        """
        tolerance = self.sampling.tolerance
        if tolerance is None or (above := ~self.converged()[valid]).sum() == 0:
            return None
        pairs = zip(self.errors()[valid], self.repetitions[valid], strict=True)
        error, repetitions = max(pairs)
        return (
            f"{above.sum()} of {valid.sum()} images have a relative error above the "
            f"`tolerance` of {tolerance:g} after all `repetitions`; the worst one has "
            f"{error:.2g} and needs {_needed(error, repetitions, tolerance)}."
        )

    def stats(self, sigma: np.ndarray, ids: Any, facts: dict[str, Any]) -> Stats:
        """Return the final ``Stats``."""
        start = np.full(len(self.flips), self.sampling.start)
        return Stats(
            state=tuple(map(_numpy, self.moments.state)),
            counts=self.moments.counts,
            draws=np.stack([start, start + self.repetitions], axis=-1)[None],
            sigma=sigma,
            flips=self.flips,
            drifts=self.drifts,
            repetitions=self.repetitions,
            logits=_numpy(self.logits),
            ids=ids,
            units=self.units,
            facts={"statistic": self.sampling.statistic, "seed": self.sampling.seed}
            | ({"single": True} if self.outputs.shape[-1] == 1 else {})
            | facts,
        )

    @property
    def _estimate_args(self) -> tuple[Any, np.ndarray, str]:
        return self.moments.state, self.moments.counts, self.sampling.statistic


def _classes(outputs: np.ndarray) -> np.ndarray:
    """Return the predicted class; that of a single logit is its sign."""
    return outputs[:, 0] > 0 if outputs.shape[-1] == 1 else outputs.argmax(axis=-1)


def _needed(error: float, repetitions: int, tolerance: float) -> str:
    """Return text on how many repetitions reduce the error to the tolerance.

    The squared norm of a mean includes that of its error.
    """
    if error >= 1:
        return "many more"
    factor = error**2 / (1 - error**2) * (1 - tolerance**2) / tolerance**2
    return f"about {math.ceil(repetitions * factor):,} in all"
