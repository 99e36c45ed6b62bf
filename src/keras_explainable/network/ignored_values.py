"""Values of the inputs on which no output depends."""

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import flatten, is_float
from keras_explainable.network.graph import Graph
from keras_explainable.types import Tensor


def ignored_values(graph: Graph, leaves: list[Tensor]) -> list[np.ndarray]:
    """Return for each input which of its values (B, ...) have no derivative.

    Args:
        graph: Graph without nested models.
        leaves: Values of its inputs. Those that are no floats count as read.
    """
    floats = {key: x for key, x in enumerate(leaves) if is_float(x)}
    if not floats:
        return [np.zeros(x.shape, bool) for x in leaves]

    def weighted(changed: dict[int, Tensor]) -> tuple[Tensor, tuple[()]]:
        every = [changed.get(key, x) for key, x in enumerate(leaves)]
        packed = keras.tree.pack_sequence_as(graph.inputs, every)
        outputs = filter(is_float, flatten(graph.run(packed)))
        return ops.stack([*map(_weighted_sum, outputs)]), ()

    with backend.state_kept():
        sums, pullback, _ = backend.vjp(weighted, floats)
        found = pullback(ops.ones_like(sums))
    known = {key: ops.convert_to_numpy(x) == 0 for key, x in found.items()}
    return [known.get(k, np.zeros(x.shape, bool)) for k, x in enumerate(leaves)]


def _weighted_sum(x: Tensor) -> Tensor:
    """Return a sum with weights that do not cancel, such as those of probabilities."""
    count = int(np.prod(x.shape))
    weights = np.random.default_rng(0).uniform(0.5, 1.5, count)
    return ops.sum(ops.reshape(x, (-1,)) * ops.cast(weights, x.dtype))
