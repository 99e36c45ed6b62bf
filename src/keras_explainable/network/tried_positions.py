"""Positions after a layer of the user's, found by trying which values depend on which.

Each row and each column of the grid is changed in turn. An output that changes with a
few of them only has its place there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import flatten, is_float
from keras_explainable.network.graph import Step
from keras_explainable.network.positions import Positions

#: The most rows that go through the layer at once.
_ROWS = 16

#: Changes below this part of the largest one count as none: those by rounding, and
#: those by attention beside a skip connection.
_SMALL = 1e-3


def tried_positions(step: Step, found: Mapping[int, Positions]) -> Positions | None:
    """Return the positions of a step's only output; None if they cannot be told."""
    [symbol] = flatten(step.outputs)
    floats = all(map(is_float, [*step.reads, symbol]))
    if not floats or len(symbol.shape) < 3:
        return None
    known = [x for x in step.reads if id(x) in found]
    read = max(known, key=lambda x: np.prod(found[id(x)].grid))
    if len(found[id(read)].numbers) > 1:  # Windows are in the axis of the batch.
        return None
    try:
        with backend.eagerly(), backend.state_kept():
            positions = _Trial(step, read, found[id(read)]).positions()
    except Exception:  # A layer of the user's may refuse random numbers.
        positions = None
    positions = positions or _of_fewer_tokens(found[id(read)], symbol)
    if positions is None:
        return None
    shape = (1, *symbol.shape[1:])
    return replace(positions, numbers=np.broadcast_to(positions.numbers, shape))


class _Trial:
    """A layer, and the image or tokens that are changed to see what it does."""

    def __init__(self, step: Step, read: Any, positions: Positions):
        self.step, self.read, self.known = step, read, positions
        rng = np.random.default_rng(0)
        self.values = {
            id(x): rng.normal(size=[1, *x.shape[1:]]).astype("float32")
            for x in step.reads
        }
        self.change = rng.normal(size=(1, *read.shape[1:])).astype("float32")
        self.before = self._outputs(np.zeros((1, *read.shape[1:]), bool))

    def positions(self) -> Positions | None:
        """Return the positions of the output, if all have a place of their own."""
        grid = self.known.grid
        longest = int(np.argmax(grid))
        ends = self._changed(longest, [0, grid[longest] - 1])
        if grid[longest] > 1 and ends.all(axis=0).any():
            return None  # Everything depends on everything, as after attention.
        spans = [self._spans(axis, size) for axis, size in enumerate(grid)]
        return _in_new_grid(spans)

    def _spans(self, axis: int, size: int) -> np.ndarray:
        """Return the first and last row that each output depends on; -1 for none."""
        changed = self._changed(axis, [*range(size)])
        last = size - 1 - changed[::-1].argmax(axis=0)
        spans = np.stack([changed.argmax(axis=0), last], axis=-1)
        found = np.expand_dims(changed.any(axis=0), -1)
        return np.where(found, spans, -1)

    def _changed(self, axis: int, rows: list[int]) -> np.ndarray:
        """Return which outputs (rows, ...) change with each of the grid's rows."""
        numbers = self.known.numbers
        places = np.unravel_index(np.maximum(numbers - 1, 0), self.known.grid)[axis]
        parts = []
        for some in _chunks(rows):
            chosen = np.concatenate([(numbers > 0) & (places == row) for row in some])
            outputs = self._outputs(chosen)
            parts.append(np.abs(outputs - self.before).max(axis=-1))
        differences = np.concatenate(parts)
        return np.greater(differences, _SMALL * max(differences.max(), 1e-30))

    def _outputs(self, chosen: np.ndarray) -> np.ndarray:
        rows = {
            key: np.repeat(value, len(chosen), axis=0)
            for key, value in self.values.items()
        }
        rows[id(self.read)] = rows[id(self.read)] + self.change * chosen
        values = {id(x): ops.cast(rows[id(x)], x.dtype) for x in self.step.reads}
        [outputs] = self.step.run(values).values()
        return ops.convert_to_numpy(ops.cast(outputs, "float32"))


def _chunks(rows: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(rows), _ROWS):
        yield rows[start : start + _ROWS]


def _in_new_grid(spans: list[np.ndarray]) -> Positions | None:
    """Return positions in the grid of all different spans along each axis.

    Args:
        spans: For each axis of the old grid, first and last row (positions..., 2).
    """
    has_place = np.all([span[..., 0] >= 0 for span in spans], axis=0)
    places, grid = [], []
    for span in spans:
        known, inverse = np.unique(span[has_place], axis=0, return_inverse=True)
        places.append(inverse.reshape(-1))
        grid.append(len(known))
    flat = np.ravel_multi_index(places, grid)
    if len(flat) != np.prod(grid) or len({*flat.tolist()}) != len(flat):
        return None  # Several outputs have the same place.
    numbers = np.zeros(has_place.shape, "int64")
    numbers[has_place] = 1 + flat
    return Positions(tuple(grid), numbers[None, ..., None])


def _of_fewer_tokens(known: Positions, symbol: Any) -> Positions | None:
    """Return the positions after a stage that joins tokens of a grid in squares.

    The tokens are mixed there as well, so that the number of tokens is what is known.
    """
    grid, shape = known.grid, tuple(symbol.shape)
    tokens = known.numbers.shape[1]
    if len(shape) != 3 or len(grid) != 2 or np.prod(grid) != tokens:
        return None
    for side in range(2, 1 + min(grid)):
        smaller = tuple(size // side for size in grid)
        exact = all(size % side == 0 for size in grid)
        if exact and np.prod(smaller) == shape[1]:
            image = Positions.of_image((1, *smaller, 1), 3).numbers
            return Positions(smaller, image.reshape(1, -1, 1))
    return None
