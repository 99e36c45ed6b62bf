"""Whether the steps of an inner tensor are those of the input that it depends on."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import flatten
from keras_explainable.network.graph import Graph
from keras_explainable.network.ignored_fractions import example_shape
from keras_explainable.types import Tensor


def steps_in_place(
    graph: Graph,
    number: int,
    tensor: Any,
    view: Callable[[Tensor], Tensor] = lambda value: value,
) -> bool:
    """Return whether changing a step of an input changes that step of a tensor.

    The first and the last one are tried. Flipped or rolled steps change elsewhere. True
    if nothing changes, or if the graph cannot be tried.

    Args:
        graph: Graph without nested models.
        number: Position of the input (B, T, ...).
        tensor: Inner tensor, such as a mask.
        view: Function from its value to one with the steps on the same axes, (B, T).
    """
    symbols = flatten(graph.inputs)
    values = [np.zeros(example_shape(x)) for x in symbols]
    run = replace(graph, outputs=tensor).pruned().run

    def seen(changed: Any) -> np.ndarray:
        arrays = [*values[:number], changed, *values[number + 1 :]]
        pairs = zip(arrays, symbols, strict=True)
        tensors = [ops.convert_to_tensor(x, dtype=each.dtype) for x, each in pairs]
        packed = keras.tree.pack_sequence_as(graph.inputs, tensors)
        return ops.convert_to_numpy(view(run(packed)))

    try:
        with backend.state_kept():
            return _changes_in_place(seen, values[number])
    except Exception:  # Such as a batch of another size.
        return True


def _changes_in_place(seen: Callable[[Any], np.ndarray], zeros: np.ndarray) -> bool:
    before, rng = seen(zeros), np.random.default_rng(0)
    for step in (0, -1):
        changed = zeros.copy()
        changed[:, step] = rng.uniform(0.5, 1.5, zeros[:, step].shape)
        differs = seen(changed) != before
        if differs.any() and not differs[:, step].any():
            return False
    return True
