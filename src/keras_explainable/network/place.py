"""Where the axes of a tensor lie in an input."""

from typing import Any, NamedTuple

from keras_explainable.network.moved_axes import Moved


class Place(NamedTuple):
    """Where the axes of a tensor lie in an input.

    Attributes:
        axes: For each axis, the axis of the input, and the way along it. Those of
            tensors with fewer or more axes, such as tokens, are those of the last
            tensor before that had as many as the input.
        windows: For each axis of the input, where the tensor begins and ends, from 0
            to 1.
        padding: How much of each window is padding before and after it that steps have
            added, without what convolutions have taken away again.
        fresh: What of it the last of these steps has added, unless a convolution or
            pooling comes after it.
        certain: Whether no step before has changed the number of axes.
    """

    axes: Moved
    windows: tuple[tuple[float, float], ...]
    padding: tuple[tuple[float, float], ...]
    fresh: tuple[tuple[float, float], ...]
    certain: bool = True

    @classmethod
    def of_input(cls, rank: int) -> "Place":
        """Return the place of an input itself, of so many axes."""
        axes = tuple((axis, 1) for axis in range(rank))
        none = ((0.0, 0.0),) * (rank + 1)
        return cls(axes, ((0.0, 1.0),) * (rank + 1), none, none)

    @property
    def region(self) -> tuple[Any, ...]:
        """The axes and windows alone."""
        return self.axes, self.windows

    def is_whole(self) -> bool:
        """Return whether nothing of the input is cut off, and nothing padded."""
        return {*self.windows} == {(0.0, 1.0)}

    def is_view(self) -> bool:
        """Return whether the axes are whole, and in their way."""
        return self.is_whole() and all(way > 0 for _, way in self.axes)
