"""Steps that join parts of one tensor, such as an image and zeros beside it."""

from collections.abc import Callable, Iterator

import keras

from keras_explainable.network.graph import Graph, Step
from keras_explainable.network.lost_positions import is_spectrum
from keras_explainable.network.operation_kinds import keras_name

#: Operations of Keras that join tensors in place, also the layers of the same names.
_JOINING = {"Append", "Concatenate", "Hstack", "Lambda", "SliceUpdate", "Where"}


class JoinedParts:
    """Finds the tensor that all parts of a joined tensor were made of.

    Args:
        graph: Graph without nested models.
        start: The input that is followed.
        has_axes: Function that tells whether it is certain which axes of the input
            those of a tensor are.
    """

    def __init__(
        self,
        graph: Graph,
        start: keras.KerasTensor,
        has_axes: Callable[[keras.KerasTensor], bool],
    ):
        self.graph, self.has_axes = graph, has_axes
        # By symbol, the tensors that all ways from the input to it pass, in order.
        self._passed: dict[int, tuple[keras.KerasTensor, ...]] = {id(start): (start,)}

    def as_one_step(self, step: Step) -> Step:
        """Return a step that reads only what its parts were made of, if it joins any.

        So is one that gives back axes which steps before it have split or merged. Other
        steps, and parts that layers with weights or spectra have made, are returned as
        they are.
        Steps are to be given in order.
        """
        chains = {
            id(x): self._passed[id(x)] for x in step.reads if id(x) in self._passed
        }
        if not chains:
            return step
        passed = [*_common([*chains.values()])]
        self._passed[id(step.outputs)] = (*passed, step.outputs)
        start = next(x for x in reversed(passed) if self.has_axes(x))
        if not (_joins(step) or self._gives_back(start, step)):
            return step
        steps = self.graph.between(start, step.outputs)
        if any(map(self._is_followed, steps)):
            return step
        parts = Graph((start,), steps, step.outputs)
        return Step(lambda x: parts.run((x,)), (start,), {}, step.outputs)

    def _is_followed(self, step: Step) -> bool:
        """Return whether a step has weights, or loses the positions."""
        weights = getattr(step.operation, "weights", None)
        return bool(weights) or is_spectrum(step, False, self.graph.steps)

    @staticmethod
    def _gives_back(start: keras.KerasTensor, step: Step) -> bool:
        """Return whether a step changes the number of axes to that of the start."""
        rank = len(start.shape)
        changes = all(len(x.shape) != rank for x in step.reads)
        return changes and len(step.outputs.shape) == rank


def _common(chains: list[tuple[keras.KerasTensor, ...]]) -> Iterator[keras.KerasTensor]:
    """Return the tensors with which all chains begin."""
    for first, *others in zip(*chains, strict=False):
        if any(x is not first for x in others):
            return
        yield first


def _joins(step: Step) -> bool:
    joins = keras_name(step.operation) in ("", *_JOINING)  # "" is the user's own.
    return joins and len(step.reads) > 1
