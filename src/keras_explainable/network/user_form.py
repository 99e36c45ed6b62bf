"""Values in the form of the user's inputs, while a network of another form runs.

A network may take inputs with channels last in place of the user's. What the user gave
a method beside the inputs, such as a baseline or a function, is in the user's form.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import keras

from keras_explainable.common.structures import Nested, flatten
from keras_explainable.network.channel_axes import Order
from keras_explainable.network.channels_last import in_order, in_original_order
from keras_explainable.network.model_inputs import shape_text


@dataclass(frozen=True)
class UserForm:
    """The form of the user's inputs, in a flat list.

    Attributes:
        shapes: Shapes (B, ...) of the user's inputs.
        orders: The order of axes in which the network takes each; None for the same.
        embedded: Whether the network takes vectors in place of tokens.
    """

    shapes: tuple[tuple[int | None, ...], ...]
    orders: tuple[Order | None, ...]
    embedded: bool


_form: ContextVar[UserForm | None] = ContextVar("user_form", default=None)


@contextmanager
def in_user_form(form: UserForm | None) -> Iterator[None]:
    """Return a context in which what the user gave a method is in a form.

    None stands for the form of the network that runs.
    """
    token = _form.set(form)
    try:
        yield
    finally:
        _form.reset(token)


def preprocessed(function: Callable[[Nested], Nested], inputs: Nested) -> Nested:
    """Return what the user's function makes of the network's inputs.

    Raises:
        ValueError: If the network takes vectors, of which the function knows nothing.
    """
    form = _form.get()
    if form is None:
        return function(inputs)
    if form.embedded:
        raise ValueError(
            "`preprocess` must be None for a model of tokens, as methods are given "
            f"their embedding vectors; received {function!r:.60}."
        )
    ranks = [len(shape) for shape in form.shapes]
    given = function(_by_order(in_original_order, inputs, form, ranks))
    return _by_order(in_order, given, form)


def _by_order(
    move: Callable[..., Any], inputs: Nested, form: UserForm, *more: list[Any]
) -> Nested:
    parts = zip(flatten(inputs), form.orders, *more, strict=True)
    moved = [x if order is None else move(x, order, *rest) for x, order, *rest in parts]
    return keras.tree.pack_sequence_as(inputs, moved)


def moved_array(name: str, x: Any, number: int = 0, *, rows: bool = False) -> Any:
    """Return the user's array as the network takes it.

    Args:
        name: Name of the parameter, for error messages.
        x: An array of one input's shape; any other, such as a number, is returned.
        number: Number of the input.
        rows: Whether ``x`` has an axis for rows, (M, ...).

    Raises:
        ValueError: If the array is not of the input's shape.
    """
    form = _form.get()
    if form is None or (order := form.orders[number]) is None:
        return x
    shape = form.shapes[number][1:]
    given = tuple(x.shape[1:] if rows else x.shape)
    if len(given) != len(shape):
        return x
    if any(one not in (None, other) for one, other in zip(shape, given, strict=True)):
        raise ValueError(
            f"`{name}` must have the shape {shape_text(shape)} of the model's input; "
            f"received {shape_text(given)}."
        )
    return in_order(x, order) if rows else in_order(x[None], order)[0]
