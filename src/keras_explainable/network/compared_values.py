"""Values of inputs that a model knows by comparing them with a number, as padding.

With noise, no value is equal to that number, so that all of them would count.
"""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable.common.structures import flatten
from keras_explainable.network.graph import Graph, Step, symbols_in
from keras_explainable.types import Tensor

#: Operations that compare, and whether they are true for values that count.
_COMPARISONS = {"Equal": False, "NotEqual": True}

#: Operations that join what was found for the features of a step.
_JOINS = {"Any", "All"}

Shape = tuple[int | None, ...]

#: The position of an input, a tensor, and a function from its value to shown values.
Found = tuple[int, Any, Callable[[Tensor], Tensor]]


def compared_values(graph: Graph, changing: list[int]) -> Iterator[Found]:
    """Find the tensors that say which values of inputs count, of (B, T) or (B, T, ...).

    Args:
        graph: Graph without nested models.
        changing: Positions of inputs that methods change.
    """
    steps = [s for s in graph.steps if type(s.operation).__name__ in _COMPARISONS]
    for step in steps:
        for tensor in _written(graph, step):
            sources = graph.inputs_of(tensor)
            if len(sources) == len(step.reads) == 1 and sources[0] in changing:
                shape = tuple(flatten(graph.inputs)[sources[0]].shape)
                if _says_what_counts(step, tuple(tensor.shape), shape):
                    yield sources[0], tensor, _shown(step, tensor, shape)


def _written(graph: Graph, step: Step) -> list[Any]:
    """Return the outputs of a comparison and of what joins them step by step."""
    compared = step.outputs
    joins = (s for s in graph.steps if type(s.operation).__name__ in _JOINS)
    return [compared, *(s.outputs for s in joins if s.reads[0] is compared)]


def _says_what_counts(step: Step, found: Shape, shape: Shape) -> bool:
    """Return whether what was compared tells padding from values of an input.

    Args:
        step: Comparison with a number.
        found: Shape of what it gives: for each value, or step by step.
        shape: Shape of the input.
    """
    of_steps = found in (shape[:2], (*shape[:2], 1)) and len(shape) == 3
    # Comparing every value with 0 may only keep a division from failing there.
    return of_steps or (found == shape and _is_with_another_number_than_0(step))


def _is_with_another_number_than_0(step: Step) -> bool:
    numbers = [x for x in step.args if not symbols_in(x)]
    return bool(numbers) and bool(np.all(np.asarray(numbers[0]) != 0))


def _shown(
    step: Step, tensor: keras.KerasTensor, shape: Shape
) -> Callable[[Tensor], Tensor]:
    """Return a function from the value of a tensor to the values that count."""
    positive = _COMPARISONS[type(step.operation).__name__]
    of_steps = tuple(tensor.shape) != shape and len(tensor.shape) > 2

    def shown(value: Tensor) -> Tensor:
        value = value[..., 0] if of_steps else value
        return value if positive else ops.logical_not(value)

    return shown
