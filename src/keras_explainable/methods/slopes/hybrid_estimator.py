"""StepStatistics over pairs of noisy copies, image after image, and the maps made of them."""

import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.execution.chunks import padded_chunks
from keras_explainable.execution.compilation import compiled_unsplit
from keras_explainable.methods.slopes import linearized_network
from keras_explainable.methods.slopes.combine_by_error import combine_by_error, dot
from keras_explainable.methods.slopes.record_statistics import run_and_record
from keras_explainable.network import output_units
from keras_explainable.sampling import noise, welford
from keras_explainable.sampling.accumulator import Accumulator, Accumulators
from keras_explainable.sampling.averaging_loop import MethodCall
from keras_explainable.sampling.parameters import Sampling
from keras_explainable.sampling.schedule import Copies
from keras_explainable.types import Tensor

Perturb = Callable[[Copies], tuple[Any, Any]]

#: Growth of the number of pairs between looks at the error.
_GROWTH = 1.5

#: Pairs: slopes learn from the first passes, samples hardly. Up to the first number
#: gradients tell what the blend errs by; from there to the second there are none,
#: unless the relative squared error of samples is small already: slopes err as much.
_STAGES = 8, 32
_SMALL = 0.005


@dataclass
class Found:
    """What is known of one image.

    Attributes:
        maps: (1, ..., K).
        squared: their squared errors (K,); infinite if nothing tells them.
        pairs: how many there were.
    """

    maps: Tensor
    squared: np.ndarray
    pairs: int

    @property
    def error(self) -> float:
        """The relative error of the worst unit."""
        axes = tuple(range(1, len(self.maps.shape) - 1))
        size = _numpy(ops.sum(ops.square(self.maps), axis=axes))[0]
        return float(np.sqrt(np.max(self.squared / np.where(size > 0, size, 1))))


def estimate_by_slopes(
    call: MethodCall, perturbed: Perturb, sampling: Sampling, blend: bool
) -> Accumulators:
    """Return accumulators of maps by slopes, or of their blend with samples.

    Args:
        call: with an exposed model.
        perturbed: returns noisy copies, x + e before x - e.
        sampling: of pairs.
        blend: whether samples are used.
    """
    accumulator = Accumulator(call.outputs, call.indices, sampling, with_errors=True)
    live = np.flatnonzero(call.ids != noise.PADDING)
    found: dict[int, Found] = {}
    for image in live.tolist():
        work = Estimate(call, perturbed, sampling, blend, image, accumulator)
        before, total = 2 * sampling.draws * len(found), 2 * sampling.draws * len(live)
        found[image] = work.done(partial(_tell, call, before, total))
    first = found[live[0]]
    blank = Found(ops.zeros_like(first.maps), np.zeros_like(first.squared), 2)
    accumulator.set_estimates(
        *_joined([found.get(i, blank) for i in range(len(call.ids))])
    )
    accumulators = Accumulators()
    accumulators.parts = accumulator
    return accumulators


def _tell(call: MethodCall, before: int, total: int, done: int) -> None:
    call.progress(before + done, total)


def _joined(found: list[Found]) -> tuple[Tensor, np.ndarray, np.ndarray]:
    maps = ops.concatenate([each.maps for each in found])
    squared = np.stack([each.squared for each in found])
    return maps, squared, np.array([each.pairs for each in found])


class Estimate:
    """Of one image, one at a time so that memory does not grow with their number.

    Pairs of a blend belong to two groups in turn, so that these stay of one size.

    Attributes:
        counts: pairs that are statistics, and those of them with gradients, by group.
        statistics: sums of what tells the slopes, each (groups, ...).
        gradients: sums of gradients and of their squared norms, likewise.
    """

    def __init__(
        self,
        call: MethodCall,
        perturbed: Perturb,
        sampling: Sampling,
        blend: bool,
        image: int,
        accumulator: Accumulator,
    ):
        self.call, self.perturbed, self.sampling = call, perturbed, sampling
        self.blend, self.image, self.accumulator = blend, image, accumulator
        self.counts = np.zeros((2, 1 + blend), "float32")
        self.statistics: Any = None
        self.gradients: Any = None
        self.indices = call.indices[image : image + 1]

    def done(self, progress: Callable[[int], None]) -> Found:
        """Return what is found, after all pairs or when that is sure enough."""
        tolerance, look = self.sampling.tolerance, 4.0
        for backward, copies in self.chunks():
            self.add(backward, copies)
            progress(2 * self.pairs)
            if tolerance is not None and 2 * self.counts[0].min() >= look:
                look = _GROWTH * self.pairs
                if (found := self.found()).error <= tolerance:
                    return found
        return self.found()

    @property
    def pairs(self) -> int:
        """How many there have been."""
        return int(self.counts[0].sum())

    def chunks(self) -> Iterator[tuple[bool, Copies]]:
        """Yield of each chunk whether gradients are wanted, and the pairs."""
        groups = self.counts.shape[1]
        most = max(self.call.rows // (2 * groups), 1)
        for start, end, backward in self._stages():
            each = -(-(end - start) // groups)
            size = groups * -(-each // -(-each // most))  # Few rows are idle.
            for position, used in padded_chunks(end - start, size):
                image = np.full(size, self.image)
                yield backward, Copies(image, start + position, used)

    def _stages(self) -> Iterator[tuple[int, int, bool]]:
        """Yield from which pair to which gradients are wanted, or are not."""
        draws = self.sampling.draws
        ends = [0, *_STAGES, draws] if self.blend else [0, 0, draws]
        for stage, (start, end) in enumerate(itertools.pairwise(ends)):
            if start < min(end, draws):
                yield start, min(end, draws), stage % 2 == 0 or self._sampled_well()

    def _sampled_well(self) -> bool:
        """Whether gradients are known that differ little from each other."""
        if self.gradients is None:
            return False
        n = self.counts[1].sum()
        mean, squares = (_numpy(x).sum(axis=0) / n for x in self.gradients)
        size = np.square(mean).reshape(-1, mean.shape[-1]).sum(axis=0)
        return bool(np.all(squares - size <= _SMALL * (n - 1) * size))

    def add(self, backward: bool, copies: Copies) -> None:
        """Count in a chunk."""
        step = compiled_unsplit(partial(_pass, backward=backward), self.call.model)
        weights = copies.used.astype("float32").reshape(-1, self.counts.shape[1])
        outputs, statistics, gradients = step(
            self.perturbed(copies)[0], self.indices, weights
        )
        self.statistics = _total(self.statistics, statistics)
        if backward:
            self.gradients = _total(self.gradients, gradients)
        self.counts += np.array([[1], [backward]]) * weights.sum(axis=0)
        outputs = _numpy(outputs)
        logits = outputs[:, self.accumulator.units[self.image]]
        self.accumulator.add_prediction_changes(logits, outputs, copies)

    def found(self) -> Found:
        """Return what is known so far."""
        inputs = ops.convert_to_tensor(self.call.inputs)[self.image : self.image + 1]
        averaged = compiled_unsplit(_slopes, self.call.model)(
            self.counts[0], self.statistics
        )
        known = inputs, self.indices, self.counts[-1], averaged
        if self.blend:
            step = compiled_unsplit(_blend, self.call.model)
            maps, squared = step(*known, self.gradients)
            return Found(maps, _numpy(squared)[0].astype("float64"), self.pairs)
        maps = compiled_unsplit(_straight, self.call.model)(*known)
        return Found(maps, np.full(maps.shape[-1], np.inf), self.pairs)


def _total(old: Any, new: Any) -> Any:
    return new if old is None else _plus()(old, new)


def _pass(
    model: Any, copies: Tensor, indices: Tensor, weights: Tensor, *, backward: bool
) -> tuple[Tensor, linearized_network.StepStatistics, Sequence[Tensor]]:
    """Return outputs (2 R, units), and sums over pairs.

    They are of what tells the slopes, each (groups, ...), and of the pairs' mean
    gradients (groups, ..., K) and of the squares of their norms (groups, K).

    Args:
        model: an exposed one.
        copies: (2 R, ...), x + e before x - e.
        indices: units (1, K).
        weights: of the pairs, which are of the groups in turn (R / groups, groups).
        backward: whether the sums of gradients are wanted.
    """
    run = partial(
        run_and_record, model, weights=ops.concatenate([weights, weights]) / 2
    )
    if not backward:
        return *run(copies), ()
    outputs, pullback, statistics = backend.vjp(run, copies)
    indices = ops.repeat(indices, copies.shape[0], axis=0)
    maps = ops.cast(
        output_units.maps_of_units(outputs, indices, pullback)[1], "float32"
    )
    half = copies.shape[0] // 2
    mean = (maps[:half] + maps[half:]) / 2
    sums = backend.weighted_sums(lambda x: (x, dot(x, x)), weights, [mean])
    return outputs, statistics, sums


@cache
def _plus() -> Any:
    """In place where tensors can be changed: they are as large as the network's."""
    return backend.jit(partial(keras.tree.map_structure, operator.iadd))


def _slopes(
    model: Any, counts: Tensor, statistics: linearized_network.StepStatistics
) -> linearized_network.StepStatistics:
    """Return the slopes of each group (groups, ...).

    A step of its own: what is compiled together may do this again for each use of it.

    Args:
        model: an exposed one.
        counts: of pairs (groups,).
        statistics: as of ``Estimate``.
    """
    return linearized_network.mean_slopes(model, _means(counts, statistics))


def _straight(
    model: Any,
    inputs: Tensor,
    indices: Tensor,
    counts: Tensor,
    averaged: linearized_network.StepStatistics,
) -> Tensor:
    """Return the maps by slopes of each group (groups, ..., K).

    Args:
        model: an exposed one.
        inputs: (1, ...).
        indices: (1, K).
        counts: (groups,).
        averaged: slopes of each group (groups, ...).
    """
    groups = counts.shape[0]
    inputs, indices = (ops.repeat(x, groups, axis=0) for x in (inputs, indices))
    maps = linearized_network.linearized_maps(model, inputs, indices, averaged)
    return ops.cast(maps, "float32")


def _blend(
    model: Any,
    inputs: Tensor,
    indices: Tensor,
    counts: Tensor,
    averaged: linearized_network.StepStatistics,
    gradients: Sequence[Tensor],
) -> tuple[Tensor, Tensor]:
    """Return the blend and its squared errors, given also the sums of gradients.

    Here the counts are of pairs that have gradients.
    """
    maps = _straight(model, inputs, indices, counts, averaged)
    samples, squares = _means(counts, gradients)
    return combine_by_error(samples, squares, maps, counts)


def _means(counts: Tensor, sums: Any) -> Any:
    return keras.tree.map_structure(
        lambda x: x / welford.broadcast_rows(counts, x), sums
    )


def _numpy(x: Any) -> np.ndarray:
    array: np.ndarray = ops.convert_to_numpy(x)
    return array
