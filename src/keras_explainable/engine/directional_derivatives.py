"""Derivatives of a score along random directions, beside its finite differences."""

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.finite_differences import (
    Differences,
    central_differences,
)
from keras_explainable.common.structures import Nested, flatten, is_float
from keras_explainable.engine.batch_source import Batch
from keras_explainable.engine.exact_network import ExactNetwork, as_array
from keras_explainable.engine.faulty_steps import faulty_steps
from keras_explainable.engine.step_differences import Fault
from keras_explainable.execution.compilation import call_method
from keras_explainable.methods.gradient import gradients
from keras_explainable.network import output_units
from keras_explainable.network.input_kinds import takes_noise
from keras_explainable.network.layers_of_user import calls_code_of_user
from keras_explainable.network.masked_steps import (
    changeable_parts,
    known_unmasked_steps,
    where_shown,
)
from keras_explainable.types import Model

#: Returns the derivatives by every value of the inputs, with their signs.
METHOD = partial(gradients, gradient_filter=None, channel_reduction=None)

#: Disagreement that counts, relative to the size of a derivative along a direction. The
#: derivative is in float32: at near ties, it may have another maximum than in float64,
#: which makes 0.007 in a VGG19 with random weights.
TOLERANCE = 0.02

#: Number of its error bars that a difference must be away, and the largest error bar,
#: relative to the size of a derivative, with which anything can be said.
BARS, LARGEST_BAR = 3, 0.3


class Comparison(NamedTuple):
    """A derivative along a random direction, and the finite difference.

    Attributes:
        image: Position of the input.
        derivative: Derivative of the score, by the framework.
        difference: Finite difference of the score.
        error: Error of the difference.
        verdict: "agrees", "differs", "unclear" (the error is too large to tell) or
            "stochastic" (two runs of the network differ).
        faults: The operations to which a disagreement is due, the worst first.
    """

    image: int
    derivative: float
    difference: float
    error: float
    verdict: str
    faults: tuple[Fault, ...] = ()


class Probe:
    """One input of a network, at which derivatives are compared."""

    def __init__(self, model: Model, exact: ExactNetwork, batch: Batch):
        """Args: network that runs, its values; a batch of one input, and its units."""
        self.model, self.exact, self.batch = model, exact, batch
        self.inputs = flatten(batch.inputs)
        _, self.maps = call_method(METHOD, model, batch.inputs, batch.indices, {})
        self.outputs = self._outputs(batch.inputs)
        indices = batch.indices
        every = np.arange(self.outputs.shape[1])
        self.units = every if indices is None else ops.convert_to_numpy(indices)[0]

    def comparisons(self, count: int, rng: np.random.Generator) -> Iterator[Comparison]:
        """Yield comparisons along random directions, for random mixtures of units."""
        if not self._repeats():
            yield Comparison(self.batch.position, np.nan, np.nan, np.nan, "stochastic")
            return
        for _ in range(count):
            mixture = rng.normal(size=len(self.units))
            yield self._comparison(self._direction(rng), mixture)

    def _comparison(self, direction: list[Any], mixture: np.ndarray) -> Comparison:
        weights = np.zeros_like(self.outputs)
        np.add.at(weights[0], self.units, mixture)

        def score(step: float) -> float:
            outputs = self.exact.outputs(self._moved(direction, step))
            return float((weights * outputs).sum())

        products = _products(flatten(self.maps), direction, mixture)
        derivative = float(sum(product.sum() for product in products))
        size = float(np.abs(weights * self.outputs).sum())
        found = central_differences(score, size, self.exact.dtype)
        best, error = found.best()
        norm = _norm(products)
        typical = max(norm if np.isfinite(norm) else 0.0, abs(found.values[best]))
        verdict, faults = verdict_on(derivative, found, typical), list[Fault]()
        if verdict == "differs":
            # The smaller the step, the fewer kinks there are in between.
            *_, smallest = [len(found.steps) - 1, *_usable(found, typical)]
            step = float(found.steps[smallest])
            ends = [self._moved(direction, sign * step) for sign in (1, -1)]
            faults = faulty_steps(self.exact, self.batch.inputs, ends, step, weights)
        numbers = derivative, float(found.values[best]), error
        return Comparison(self.batch.position, *numbers, verdict, tuple(faults))

    def _outputs(self, inputs: Nested) -> np.ndarray:
        return as_array(output_units.forward(self.model, inputs, 1))

    def _repeats(self) -> bool:
        """Return whether two runs of the network are the same.

        Code of the user's is run operation by operation: what it draws is a constant of
        compiled functions.
        """
        inputs, model = self.batch.inputs, self.model
        pairs = [(self.outputs, self._outputs(inputs))]
        if not isinstance(model, keras.Model) or calls_code_of_user(model):
            with backend.state_kept():
                first = as_array(output_units.units_of(model, inputs))
            with backend.state_kept():
                pairs.append((first, as_array(output_units.units_of(model, inputs))))
        return all(np.array_equal(a, b, equal_nan=True) for a, b in pairs)

    def _moved(self, direction: list[Any], step: float) -> Nested:
        pairs = zip(self.inputs, direction, strict=True)
        parts = [x if v is None else as_array(x) + step * v for x, v in pairs]
        return keras.tree.pack_sequence_as(self.batch.inputs, parts)

    def _direction(self, rng: np.random.Generator) -> list[Any]:
        """Return a direction for each input, of its size; None if it is no quantity.

        What only chooses, such as a category, stays. A value that is not whole is no
        category, though: it may be rounded with a derivative of the user's.
        """
        given = self.model, self.batch.inputs
        parts = (
            changeable_parts(*given),
            takes_noise(*given),
            known_unmasked_steps(*given),
        )
        found = list[Any]()
        for x, changeable, moves, shown in zip(self.inputs, *parts, strict=True):
            array = as_array(x)
            scale = np.sqrt(np.mean(np.square(array))) or 1.0
            drawn = scale * rng.normal(size=x.shape).astype("float32")
            chosen = _where(changeable, drawn) if moves else np.zeros_like(drawn)
            apart = np.where(array % 1, _where(shown, drawn), 0)
            found.append(np.where(chosen, chosen, apart) if is_float(x) else None)
        return found


def verdict_on(derivative: float, found: Differences, typical: float) -> str:
    """Return "agrees", "differs" or "unclear".

    A derivative differs if it does so at the best step and at all smaller ones that
    round little, or at least so little that they would show as large a disagreement. A
    kink nearby is passed by large steps only, and where there are many, as behind many
    ReLUs and maxima, the differences approach the derivative slowly.

    Args:
        derivative: The derivative.
        found: Differences of the same.
        typical: Usual size of such a derivative.
    """
    if not np.isfinite(derivative):
        return "differs"
    best, error = found.best()
    if not np.isfinite(error):
        return "unclear"
    allowed = TOLERANCE * typical + BARS * found.rounding
    away = np.abs(derivative - found.values)
    if away[best] <= allowed[best] + BARS * error:
        return "unclear" if error > LARGEST_BAR * typical > 0 else "agrees"
    shows = np.flatnonzero(allowed + found.rounding <= away[best])
    used = np.union1d(_usable(found, typical), shows[shows >= best])
    return "differs" if (away[used] > allowed[used]).all() else "agrees"


def _usable(found: Differences, typical: float) -> np.ndarray:
    """Return the positions of the best step and of smaller ones that round little."""
    best, _ = found.best()
    little = found.rounding <= max(TOLERANCE * typical, found.rounding[best])
    return np.flatnonzero(little & (np.arange(len(little)) >= best))


def _where(shown: Any, drawn: np.ndarray) -> np.ndarray:
    """Return values where they are shown, and 0 elsewhere."""
    tensor = where_shown(shown, ops.convert_to_tensor(drawn), 0.0)
    return ops.convert_to_numpy(tensor)


def _products(
    maps: list[Any], direction: list[np.ndarray | None], weights: np.ndarray
) -> list[np.ndarray]:
    pairs = zip(maps, direction, strict=True)
    with np.errstate(invalid="ignore"):  # Derivatives may be infinite.
        return [as_array(m) @ weights * v for m, v in pairs if v is not None]


def _norm(products: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.square(x).sum() for x in products)))
