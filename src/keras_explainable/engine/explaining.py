"""One step of ``explain``, as functions: of a batch, and of an iterator of batches."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from keras import ops

from keras_explainable.common.structures import map_structure
from keras_explainable.engine.explain import explain
from keras_explainable.engine.partial_explain import partial_explain
from keras_explainable.engine.postprocessing import INPUT_SIZE, Postprocessing
from keras_explainable.types import Method, Model, Tensor

__all__ = ["explain", "explain_step", "make_explain_function", "partial_explain"]


def explain_step(
    model: Model,
    method: Method,
    data: Any,
    spatial_axis: tuple[int, ...] | None = None,
    postprocessing: Postprocessing | None = None,
    resizing: bool | tuple[int, ...] | None = INPUT_SIZE,
    **params: Any,
) -> tuple[Tensor, Tensor]:
    """Return the logits and maps of one batch, as tensors.

    Args:
        model: Keras model, as in ``explain``.
        method: Explaining method.
        data: ``(x, y)``, ``(x,)`` or ``x``; further entries do not count.
        spatial_axis: Spatial axes of the inputs; None for all between the first and the
            last.
        postprocessing: As in ``explain``.
        resizing: As in ``explain``.
        **params: Parameters of ``method`` and of ``explain``.
    """
    x, y, *_ = (*data, None) if isinstance(data, tuple) else (data, None)
    if spatial_axis is not None:
        params["spatial_axis"] = spatial_axis
    options = {"postprocessing": postprocessing, "resizing": resizing, "verbose": 0}
    logits, maps = explain(method, model, x, y, **{**options, **params})
    return ops.convert_to_tensor(logits), map_structure(ops.convert_to_tensor, maps)


def make_explain_function(
    model: Model, method: Method, params: Mapping[str, Any], force: bool = False
) -> Callable[[Iterator[Any]], tuple[Tensor, Tensor]]:
    """Return a function that explains the next batch of an iterator.

    Args:
        model: Keras model, which is not changed: nothing is stored in it.
        method: Explaining method.
        params: Parameters of ``explain_step``.
        force: No effect: a method is compiled again when the model has changed.
    """

    def explain_function(iterator: Iterator[Any]) -> tuple[Tensor, Tensor]:
        return explain_step(model, method, next(iterator), **params)

    return explain_function
