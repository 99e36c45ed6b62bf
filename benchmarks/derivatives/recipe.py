"""How a function of tensors is made, with the shapes of its tensors."""

from collections.abc import Callable
from typing import Any, NamedTuple

Shape = tuple[int, ...]


class Recipe(NamedTuple):
    """A function of tensors with the given shapes.

    Attributes:
        make: Returns the function. It is called once, and may create a layer.
        shapes: Shapes of the tensors.
        variant: What is special, if the name has several recipes.
    """

    make: Callable[[], Callable[..., Any]]
    shapes: tuple[Shape, ...]
    variant: str = ""


class Wrapped:
    """A layer that is called in another way."""

    def __init__(self, layer: Any, call: Callable[..., Any]):
        self.wrapped, self.call = layer, call

    def __call__(self, *tensors: Any, **mode: bool) -> Any:
        """Return what the other way returns."""
        return self.call(*tensors, **mode)


def of(function: Callable[..., Any], *shapes: Shape, variant: str = "") -> Recipe:
    """Return a recipe for a function."""
    return Recipe(lambda: function, shapes, variant)


def layer(make: Callable[[], Any], *shapes: Shape, variant: str = "") -> Recipe:
    """Return a recipe for a layer, which is made once."""
    return Recipe(make, shapes, variant)
