"""Sums over pairs of noisy copies, image after image, and the maps made of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend, moments, noise, units
from keras_explainable.averaging import Call
from keras_explainable.batching import Copies, padded_chunks
from keras_explainable.compilation import compiled_whole
from keras_explainable.methods.gradient import slopes
from keras_explainable.methods.gradient.bends import weighted
from keras_explainable.methods.gradient.blending import blended
from keras_explainable.sampling import Sampling
from keras_explainable.tally import Tallies, Tally
from keras_explainable.types import Tensor

Views = Callable[[Copies], tuple[Any, Any]]

#: Growth of the number of pairs between looks at the error.
_GROWTH = 1.5


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


def by_slopes(call: Call, views: Views, sampling: Sampling, blend: bool) -> Tallies:
    """Return tallies of maps by slopes, or of their blend with samples.

    Args:
        call: with an exposed model.
        views: returns noisy copies, x + e before x - e.
        sampling: of pairs.
        blend: whether samples are used.
    """
    tally = Tally(call.outputs, call.indices, sampling, spread=True)
    live = np.flatnonzero(call.ids != noise.PADDING)
    found: dict[int, Found] = {}
    for image in live.tolist():
        work = Estimate(call, views, sampling, blend, image, tally)
        before, total = 2 * sampling.draws * len(found), 2 * sampling.draws * len(live)
        found[image] = work.done(partial(_tell, call, before, total))
    first = found[live[0]]
    blank = Found(ops.zeros_like(first.maps), np.zeros_like(first.squared), 2)
    tally.settle(*_joined([found.get(i, blank) for i in range(len(call.ids))]))
    tallies = Tallies()
    tallies.parts = tally
    return tallies


def _tell(call: Call, before: int, total: int, done: int) -> None:
    call.progress(before + done, total)


def _joined(found: list[Found]) -> tuple[Tensor, np.ndarray, np.ndarray]:
    maps = ops.concatenate([each.maps for each in found])
    squared = np.stack([each.squared for each in found])
    return maps, squared, np.array([each.pairs for each in found])


class Estimate:
    """Of one image, one at a time so that memory does not grow with their number.

    Blends have two groups of pairs, the even and the odd ones; each chunk is of one.
    """

    def __init__(
        self,
        call: Call,
        views: Views,
        sampling: Sampling,
        blend: bool,
        image: int,
        tally: Tally,
    ):
        self.call, self.views, self.sampling = call, views, sampling
        self.blend, self.image, self.tally = blend, image, tally
        self.counts = np.zeros(1 + blend, "float32")
        self.sums: list[Any] = [None] * len(self.counts)
        self.indices = call.indices[image : image + 1]

    def done(self, told: Callable[[int], None]) -> Found:
        """Return what is found, after all pairs or when that is sure enough."""
        tolerance, look = self.sampling.tolerance, 4.0
        for group, copies in self.chunks():
            self.add(group, copies)
            told(2 * int(self.counts.sum()))
            if tolerance is not None and min(self.counts) * len(self.counts) >= look:
                look = _GROWTH * self.counts.sum()
                if (found := self.found()).error <= tolerance:
                    return found
        return self.found()

    def chunks(self) -> Iterator[tuple[int, Copies]]:
        """Yield the group and the pairs of each chunk."""
        draws, groups = self.sampling.draws, len(self.counts)
        each, most = -(-draws // groups), max(self.call.rows // 2, 1)
        size = -(-each // -(-each // most))  # Even ones, so that few rows are idle.
        for position, used in padded_chunks(each, size):
            for group in range(groups):
                draw = position * groups + group
                there = used & (draw < draws)
                draw = np.minimum(draw, draws - 1)
                yield group, Copies(np.full(size, self.image), draw, there)

    def add(self, group: int, copies: Copies) -> None:
        """Count in a chunk."""
        step = compiled_whole(partial(_pass, blend=self.blend), self.call.model)
        rows = ops.repeat(self.indices, 2 * len(copies.used), axis=0)
        weights = copies.used.astype("float32")
        outputs, new = step(self.views(copies)[0], rows, weights)
        old = self.sums[group]
        self.sums[group] = new if old is None else _plus()(old, new)
        self.counts[group] += weights.sum()
        logits = units.gather_units(outputs, rows)
        self.tally.add_changes(_numpy(logits), _numpy(outputs), copies)

    def found(self) -> Found:
        """Return what is known so far."""
        pairs = int(self.counts.sum())
        if not self.blend:
            _, maps = self.means()
            return Found(maps, np.full(maps.shape[-1], np.inf), pairs)
        maps, squared = self._finished(_blend)
        return Found(maps, _numpy(squared)[0].astype("float64"), pairs)

    def means(self) -> tuple[list[Tensor], Tensor]:
        """Return the means of gradients and of their squares, and the maps by slopes.

        Each is of the groups and, if there are two, of both together (3, ..., K).
        """
        means: tuple[list[Tensor], Tensor] = self._finished(_means)
        return means

    def _finished(self, finish: Callable[..., Any]) -> Any:
        inputs = ops.convert_to_tensor(self.call.inputs)[self.image : self.image + 1]
        step = compiled_whole(finish, self.call.model)
        return step(inputs, self.indices, self.counts, self.sums)


def _pass(
    model: Any, copies: Tensor, indices: Tensor, weights: Tensor, *, blend: bool
) -> tuple[Tensor, tuple[list[Tensor], slopes.Sums]]:
    """Return outputs (2 R, units), and sums over pairs, each (1, ...).

    The sums are of the pairs' mean gradients and their squares, if they are blended,
    and of what tells the slopes.

    Args:
        model: an exposed one.
        copies: (2 R, ...), x + e before x - e.
        indices: units (2 R, K).
        weights: of the pairs (R,).
        blend: whether the sums of gradients are wanted.
    """
    sums: list[Tensor] = []
    if blend:
        outputs, shown, maps = _gradients(model, copies, indices)
        half = weights.shape[0]
        mean = (maps[:half] + maps[half:]) / 2
        sums = [weighted(weights, x) for x in (mean, ops.square(mean))]
    else:
        outputs, *shown = model.run(copies)
    twice = ops.concatenate([weights, weights]) / 2
    return outputs, (sums, slopes.told(model, shown, twice))


def _gradients(
    model: Any, copies: Tensor, indices: Tensor
) -> tuple[Tensor, list[Tensor], Tensor]:
    def run(x: Tensor) -> tuple[Tensor, Any]:
        first, *others = model.run(x)
        return first, others

    outputs, pullback, others = backend.vjp(run, copies)
    return outputs, others, units.maps_of_units(outputs, indices, pullback)[1]


@cache
def _plus() -> Any:
    return backend.jit(partial(keras.tree.map_structure, ops.add))


def _means(
    model: Any, inputs: Tensor, indices: Tensor, counts: Tensor, groups: Any
) -> tuple[list[Tensor], Tensor]:
    """Return what ``Estimate.means`` does.

    Args:
        model: an exposed one.
        inputs: (1, ...).
        indices: (1, K).
        counts: pairs in each group (groups,).
        groups: the sums of each, as of ``_pass``.
    """
    counts = _with_whole(counts)

    def mean(*sums: Tensor) -> Tensor:
        x = _with_whole(ops.concatenate(sums))
        return x / moments.column(counts, x)

    gradients, told = keras.tree.map_structure(mean, *groups)
    inputs, indices = (
        ops.repeat(x, counts.shape[0], axis=0) for x in (inputs, indices)
    )
    return gradients, slopes.straight_maps(model, inputs, indices, told)


def _blend(
    model: Any, inputs: Tensor, indices: Tensor, counts: Tensor, groups: Any
) -> tuple[Tensor, Tensor]:
    """Return the blend and its squared errors, given what ``_means`` is given."""
    [samples, squares], maps = _means(model, inputs, indices, counts, groups)
    return blended(samples, squares, maps, counts)


def _with_whole(groups: Tensor) -> Tensor:
    """Return the sums of groups (groups, ...), and of all if there are several."""
    if groups.shape[0] == 1:
        return groups
    return ops.concatenate([groups, ops.sum(groups, axis=0, keepdims=True)])


def _numpy(x: Any) -> np.ndarray:
    array: np.ndarray = ops.convert_to_numpy(x)
    return array
