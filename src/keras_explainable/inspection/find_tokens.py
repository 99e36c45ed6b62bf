"""Find the grid of the tokens that a layer outputs."""

from typing import Any

from keras_explainable.common.structures import flatten
from keras_explainable.inspection.default_layer import default_tensors
from keras_explainable.inspection.find_calls import Endpoint, parse, tensors_of
from keras_explainable.inspection.one_output import first_output_model
from keras_explainable.inspection.token_grid import GivenGrid, TokenGrid, grid_of
from keras_explainable.inspection.wrapped_model import class_name
from keras_explainable.network.follow_positions import positions_of
from keras_explainable.network.foreign_models import check_is_keras_model
from keras_explainable.network.rows_of_steps import check_rows
from keras_explainable.network.trace_model import inlined_with_calls, trace
from keras_explainable.types import Model


def token_grid(
    model: Model,
    layer: Endpoint | None = None,
    *,
    grid: tuple[int, ...] | None = None,
    skip_tokens: int | tuple[int, int] | None = None,
) -> TokenGrid:
    """Return where the tokens of a layer lie in the image.

    The graph is followed from the image to the layer. Operations that move values are
    run on the numbers of their positions; layers of Keras' keep positions. A layer of
    the user's, such as one that embeds patches, is run on random inputs, in which one
    row or column after the other is changed. If all its tokens change at once, as by
    attention, they keep their places.

    Args:
        model: Functional or Sequential Keras model, which is only read.
        layer: Layer whose output has tokens (B, T, C), as in ``expose``; None takes the
            one that ``ke.gradcam`` would.
        grid: The sizes of the grid, in tokens, in place of those that are found.
        skip_tokens: Number of tokens before those of the grid, such as class tokens; or
            a pair of those before and after.

    Returns:
        A ``TokenGrid`` with the attributes ``axis``, ``grid``, ``before`` and
        ``after``: the axis of the tokens, the sizes (height, width) of their grid, in
        which they are in order row by row, and how many tokens without a place (class,
        distillation or register tokens) stand before and after them.

    Raises:
        ValueError: If the layer has no tokens, if their grid is not known, or if what
            is given does not fit; or if the layers of ``model`` are not known.
        TypeError: If ``model`` is one of another library, such as Keras 2.

    Example::

        ke.inspection.token_grid(model, "block_11")
        # TokenGrid(axis=1, grid=(14, 14), before=1, after=0)
    """
    check_is_keras_model(model)
    first = first_output_model(model) if layer is None else model
    given, graph = GivenGrid.of(grid, skip_tokens), trace(first)
    if graph is None:
        raise ValueError(
            "`model` must be a Functional or Sequential model to find its tokens; "
            f"received {class_name(model)}."
        )
    flat, calls = inlined_with_calls(graph)
    tensor: Any = [
        *(tensors_of(calls, link)[-1] for link in parse(layer)),
        *(default_tensors(flat, calls) if layer is None else ()),
    ][-1]
    check_rows(flat, [tensor])
    names = [
        call.operation.name
        for call in calls
        if any(x is tensor for x in flatten(call.outputs))
    ]
    known = positions_of(flat).get(id(tensor))
    return grid_of(tensor.shape, known, given, [*names, tensor.name][0])
