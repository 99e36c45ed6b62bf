"""Estimate maps from pairs of noisy copies, image after image: slopes and hybrid."""

import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.execution.chunks import padded_chunks
from keras_explainable.execution.compilation import compiled_unsplit
from keras_explainable.methods.slopes import linearized_network
from keras_explainable.methods.slopes.combine_by_error import combine_by_error, dot
from keras_explainable.methods.slopes.linearized_network import StepStatistics
from keras_explainable.methods.slopes.pairs_of_copies import (
    divided_pairs,
    joined_pairs,
    run_pairs,
)
from keras_explainable.sampling import noise, welford
from keras_explainable.sampling.accumulator import Accumulator, Accumulators
from keras_explainable.sampling.averaging_loop import MethodCall
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.schedule import Copies
from keras_explainable.types import Tensor

Perturb = Callable[[Copies], tuple[Any, Any]]

#: Growth of the number of pairs between two checks of the error.
_GROWTH = 1.5

#: Numbers of pairs. Up to the first, gradients are taken, to estimate the error of the
#: hybrid; from there to the second, if they lower it more than forward passes alone in
#: the same time; and after that, to remove the bias and to know what is left of it.
_GRADIENT_STAGES = 8, 24

#: The time of a pass with gradients, in passes without: 1.9 to 2.5 in docs/evidence.md.
#: It is the same everywhere, so that maps do not depend on the machine.
_TIME_OF_GRADIENTS = 2.0


class ImageEstimate(NamedTuple):
    """The maps of one image.

    Attributes:
        maps: The estimated maps (1, ..., K).
        squared_errors: Estimates of their squared errors (K,); infinite if not known.
        pairs: The number of pairs of copies.
        parts: What the variances of samples and slopes add to the errors, each (K,).
    """

    maps: Tensor
    squared_errors: np.ndarray
    pairs: int
    parts: Sequence[np.ndarray] = ()

    @property
    def error(self) -> float:
        """The relative error of the unit for which it is largest."""
        size = _numpy(dot(self.maps, self.maps))[0]
        return float(np.sqrt(np.max(self.squared_errors / np.where(size > 0, size, 1))))


def estimate_by_slopes(
    call: MethodCall, perturb: Perturb, sampling: Sampling, hybrid: bool
) -> Accumulators:
    """Return accumulators of maps by slopes, or by slopes and samples.

    Args:
        call: The call of the method, with an exposed model.
        perturb: Returns the noisy copies of a chunk, x + e before x - e.
        sampling: The sampling of pairs.
        hybrid: Whether the maps are combined with those of samples.
    """
    accumulator = Accumulator(call.outputs, call.indices, sampling, with_errors=True)
    live = np.flatnonzero(call.ids != noise.PADDING)
    copies = 2 * sampling.draws
    estimates: dict[int, ImageEstimate] = {}
    for image in live.tolist():
        one = ImageEstimator(call, perturb, sampling, hybrid, image, accumulator)
        estimates[image] = one.run(copies * len(estimates), copies * len(live))
    first = estimates[live[0]]
    errors = np.zeros_like(first.squared_errors)
    padding = ImageEstimate(ops.zeros_like(first.maps), errors, 2)
    of_all = (estimates.get(i, padding) for i in range(len(call.ids)))
    maps, squared_errors, pairs, _ = zip(*of_all, strict=True)
    accumulator.set_estimates(
        ops.concatenate(maps), np.stack(squared_errors), np.array(pairs)
    )
    accumulators = Accumulators()
    accumulators.parts = accumulator
    return accumulators


@dataclass
class ImageEstimator:
    """Estimates the maps of one image, so that memory does not grow with their number.

    Pairs of the hybrid estimator belong to two groups in turn, which keeps their sizes
    equal.

    Attributes:
        counts: Numbers of pairs recorded, and of those with gradients, by group.
        statistics: Sums of the statistics of each nonlinearity, each (groups, ...).
        gradients: Sums of the gradients (groups, ..., K), and of their squared norms
            (groups, K).
    """

    call: MethodCall
    perturb: Perturb
    sampling: Sampling
    hybrid: bool
    image: int
    accumulator: Accumulator
    statistics: Any = None
    gradients: Any = None

    def __post_init__(self) -> None:
        self.counts = np.zeros((2, 1 + self.hybrid), "float32")
        self.indices = self.call.indices[self.image : self.image + 1]

    def run(self, before: int, total: int) -> ImageEstimate:
        """Return the estimate after all pairs, or as soon as it has converged.

        Args:
            before: The number of copies of other images that have run, for progress.
            total: The number of copies of all images.
        """
        tolerance, next_check = self.sampling.tolerance, 4.0
        for backward, copies in self.chunks():
            self.add(backward, copies)
            self.call.progress(before + 2 * self.pairs, total)
            if tolerance is not None and 2 * self.counts[0].min() >= next_check:
                next_check = _GROWTH * self.pairs
                if (estimate := self.estimate()).error <= tolerance:
                    return estimate
        return self.estimate()

    @property
    def pairs(self) -> int:
        """The number of pairs so far."""
        return int(self.counts[0].sum())

    def chunks(self) -> Iterator[tuple[bool, Copies]]:
        """Yield whether a chunk needs gradients, and its pairs."""
        groups = self.counts.shape[1]
        most = max(self.call.rows // (2 * groups), 1)
        for start, end, backward in self._stages():
            each = -(-(end - start) // groups)
            size = groups * -(-each // -(-each // most))  # Little padding is needed.
            for position, used in padded_chunks(end - start, size):
                image = np.full(size, self.image)
                yield backward, Copies(image, start + position, used)

    def _stages(self) -> Iterator[tuple[int, int, bool]]:
        """Yield the first pair, the end, and whether these pairs need gradients."""
        draws = self.sampling.draws
        ends = [0, *_GRADIENT_STAGES, draws] if self.hybrid else [0, 0, draws]
        for stage, (start, end) in enumerate(itertools.pairwise(ends)):
            if start < min(end, draws):
                yield start, min(end, draws), stage % 2 == 0 or self._gradients_pay()

    def _gradients_pay(self) -> bool:
        """Whether gradients lower the error more, in the same time, than none do.

        One more pair lowers a variance by its share. That of the slopes is taken at the
        end of the stage: missing gradients may double errors, needless ones cost less.
        """
        if self.gradients is None:
            return False
        samples, slopes = (np.sum(part) for part in self.estimate().parts)
        first, last = _GRADIENT_STAGES
        of_slopes = (_TIME_OF_GRADIENTS - 1) * slopes * first / last**2
        return bool(samples / first >= of_slopes)

    def add(self, backward: bool, copies: Copies) -> None:
        """Run a chunk and add what it yields to the sums."""
        run = partial(run_pairs, backward=backward)
        weights = copies.used.astype("float32").reshape(-1, self.counts.shape[1])
        step = compiled_unsplit(run, self.call.model, divided_pairs, joined_pairs)
        outputs, statistics, gradients = step(
            self.perturb(copies)[0], self.indices, weights
        )
        self.statistics = _plus(self.statistics, statistics)
        if backward:
            self.gradients = _plus(self.gradients, gradients)
        self.counts += np.array([[1], [backward]]) * weights.sum(axis=0)
        outputs = _numpy(outputs)
        logits = outputs[:, self.accumulator.units[self.image]]
        self.accumulator.add_prediction_changes(logits, outputs, copies)

    def estimate(self) -> ImageEstimate:
        """Return the estimate from the pairs so far."""
        inputs = ops.convert_to_tensor(self.call.inputs)[self.image : self.image + 1]
        slopes = self._compiled(_slopes)(self.counts[0], self.statistics)
        known = inputs, self.indices, self.counts[-1], slopes
        if self.hybrid:
            maps, *errors = self._compiled(_hybrid_maps)(*known, self.gradients)
            squared, *parts = (_numpy(x)[0].astype("float64") for x in errors)
            return ImageEstimate(maps, squared, self.pairs, parts)
        maps = self._compiled(_slope_maps)(*known)
        return ImageEstimate(maps, np.full(maps.shape[-1], np.inf), self.pairs)

    def _compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return compiled_unsplit(function, self.call.model)


def _plus(old: Any, new: Any) -> Any:
    return new if old is None else _add_in_place()(old, new)


@cache
def _add_in_place() -> Any:
    """In place where tensors can be changed: sums are as large as the activations."""
    return backend.jit(partial(keras.tree.map_structure, operator.iadd))


def _slopes(model: Any, counts: Tensor, statistics: StepStatistics) -> StepStatistics:
    """Return the slopes of each group (groups, ...), given its sums of statistics.

    Compiled separately: together with other steps, it may run once for each use.
    """
    return linearized_network.mean_slopes(model, _means(counts, statistics))


def _slope_maps(
    model: Any, inputs: Tensor, indices: Tensor, counts: Tensor, slopes: StepStatistics
) -> Tensor:
    """Return the maps by the slopes of each group (groups, ..., K).

    Args:
        model: An exposed model.
        inputs: The image (1, ...).
        indices: Units to explain (1, K).
        counts: Numbers of pairs (groups,).
        slopes: The slopes of each group, each (groups, ...).
    """
    groups = counts.shape[0]
    inputs, indices = (ops.repeat(x, groups, axis=0) for x in (inputs, indices))
    maps = linearized_network.linearized_maps(model, inputs, indices, slopes)
    return ops.cast(maps, "float32")


def _hybrid_maps(
    model: Any,
    inputs: Tensor,
    indices: Tensor,
    counts: Tensor,
    slopes: StepStatistics,
    gradients: Sequence[Tensor],
) -> tuple[Tensor, ...]:
    """Return the parts of the ``Combination`` of the slopes and samples.

    The counts are of the pairs with gradients, whose sums are given, too.
    """
    maps = _slope_maps(model, inputs, indices, counts, slopes)
    samples, squares = _means(counts, gradients)
    return tuple(combine_by_error(samples, squares, maps, counts))


def _means(counts: Tensor, sums: Any) -> Any:
    return keras.tree.map_structure(
        lambda x: x / welford.broadcast_rows(counts, x), sums
    )


def _numpy(x: Any) -> np.ndarray:
    return ops.convert_to_numpy(x)
