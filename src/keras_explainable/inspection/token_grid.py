"""The grid of a layer's tokens: the place in the image of each token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from keras_explainable.common import checks
from keras_explainable.network.positions import Positions


@dataclass(frozen=True)
class TokenGrid:
    """Where the tokens of a layer lie in the image.

    Attributes:
        axis: The axis of the tokens in the layer's output, 1 for (B, T, C).
        grid: The sizes of the grid, such as (height, width). Its tokens are in order,
            row by row.
        before: Number of tokens before those of the grid that have no place, such as
            class, distillation and register tokens.
        after: Number of such tokens after those of the grid.
    """

    axis: int
    grid: tuple[int, ...]
    before: int = 0
    after: int = 0

    @property
    def size(self) -> int:
        """The number of tokens of the grid."""
        return int(np.prod(self.grid))


class GivenGrid(NamedTuple):
    """What the user says of the tokens, in place of what the graph shows."""

    grid: tuple[int, ...] | None = None
    skip: tuple[int, int] | None = None

    @classmethod
    def of(cls, grid: Any, skip_tokens: Any) -> "GivenGrid":
        """Return the checked parameters ``grid`` and ``skip_tokens``."""
        if grid is not None:
            grid = _integers("grid", grid, 1)
        if skip_tokens is None:
            return cls(grid)
        skip = (skip_tokens, 0) if np.ndim(skip_tokens) == 0 else skip_tokens
        skip = _integers("skip_tokens", skip, 0)
        if len(skip) != 2:
            raise ValueError(
                "`skip_tokens` must be the number of tokens before those of the grid, "
                f"or a pair of those before and after; received {skip_tokens!r}."
            )
        return cls(grid, skip)


#: The user says nothing: the graph must show all.
NOTHING_GIVEN = GivenGrid()


def _integers(name: str, values: Any, low: int) -> tuple[int, ...]:
    if not isinstance(values, tuple | list | np.ndarray) or not len(values):
        raise TypeError(
            f"`{name}` must be a tuple of integers, such as (height, width); received "
            f"{values!r}."
        )
    for value in values:
        checks.integer(name, value, low)
    return tuple(map(int, values))


def grid_of(
    shape: Sequence[int | None],
    known: Positions | None,
    given: GivenGrid,
    name: str,
) -> TokenGrid:
    """Return the grid of the tokens of a tensor.

    Args:
        shape: The shape of the tensor (B, ...).
        known: What the graph shows of it.
        given: What the user says of it.
        name: The name of the layer, for the error messages.

    Raises:
        ValueError: If the tensor has no tokens, if what is given does not fit their
            number, or if their grid is not known.
    """
    if len(shape) > 3:
        raise ValueError(
            "`layer` must have an output of tokens (B, T, C); received "
            f"{name!r} with {tuple(shape)}, which has the axes of an image: its values "
            "have places without a grid."
        )
    if len(shape) != 3:
        raise ValueError(
            "`layer` must have as many axes as the input, or an output of tokens "
            f"(B, T, C); received {name!r} with {tuple(shape)}. Methods of gradients, "
            "such as `ke.smoothgrad`, have maps of the input's own axes."
        )
    found = None if known is None else found_grid(known)
    axis = 1 if found is None else found.axis
    return grid_of_tokens(shape[axis], axis, found, given, name)


def grid_of_tokens(
    tokens: int | None,
    axis: int,
    found: TokenGrid | None,
    given: GivenGrid,
    name: str,
) -> TokenGrid:
    """Return the grid that the user says; what is not said is as it was found."""
    if given == NOTHING_GIVEN and found is not None:
        return found
    grid = given.grid or (None if found is None else found.grid)
    if grid is None or (given.skip is None and tokens is None):
        raise ValueError(
            f"The place of the {tokens or 'T'} tokens of the layer {name!r} in the "
            "image is not known. `grid=` must give the sizes of their grid, such as "
            "(height, width), and `skip_tokens=` the number of other tokens before "
            "them, such as class tokens."
        )
    size = int(np.prod(grid))
    skip = given.skip
    if skip is None:
        of_graph = found is not None and found.before + size + found.after == tokens
        skip = (found.before, found.after) if found and of_graph else (0, 0)
    if tokens is not None and size + sum(skip) != tokens:
        raise ValueError(
            f"`grid` and `skip_tokens` must have {tokens} tokens together, as many as "
            f"the layer {name!r}; received {grid} and {skip}, which have "
            f"{size + sum(skip)}."
        )
    return TokenGrid(axis, grid, *skip)


def found_grid(positions: Positions) -> TokenGrid | None:
    """Return the grid that the numbers of the positions show; None if they do not."""
    numbers = positions.numbers
    if numbers.ndim != 3 or len(numbers) > 1:
        return None
    for axis in (1, 2):
        line = numbers[0, :, 0] if axis == 1 else numbers[0, 0]
        same = np.broadcast_to(line[:, None] if axis == 1 else line, numbers.shape[1:])
        if len({*line.tolist()} - {0}) > 1 and np.array_equal(numbers[0], same):
            return _in_order(line, axis, positions.grid)
    return None


def _in_order(line: np.ndarray, axis: int, grid: tuple[int, ...]) -> TokenGrid | None:
    """Return the grid of tokens with the numbers (T,), if all are there in order."""
    places = np.flatnonzero(line)
    before, size = int(places[0]), int(np.prod(grid))
    expected = np.arange(1, 1 + size)
    if not np.array_equal(line[before : before + size], expected):
        return None
    after = len(line) - before - size
    return TokenGrid(axis, grid, before, after) if len(places) == size else None
