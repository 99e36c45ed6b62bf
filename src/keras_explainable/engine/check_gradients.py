"""``check_gradients``: whether derivatives are what they should be at some inputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_explainable.common import checks, table_format
from keras_explainable.engine.batch_source import BatchSource
from keras_explainable.engine.directional_derivatives import METHOD, Comparison, Probe
from keras_explainable.engine.exact_network import ExactNetwork
from keras_explainable.engine.model_checks import check_model
from keras_explainable.engine.prepared_network import PreparedNetwork
from keras_explainable.network.corrected_derivatives import DERIVATIVES
from keras_explainable.targets.target import as_target
from keras_explainable.types import Model


@dataclass(frozen=True)
class GradientCheck:
    """What ``ke.check_gradients`` found. Notebooks and ``print`` show it as a table.

    Attributes:
        comparisons: One for each input and direction.
        precision: That of the differences: "float64", or that of the "model".
        uncorrected: Layers and models that keep the framework's derivatives, as Keras
            cannot tell their operations; none with ``derivatives="framework"``.
    """

    comparisons: tuple[Comparison, ...]
    precision: str = "model"
    uncorrected: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether no derivative differs, and the network is not stochastic."""
        return all(x.verdict in ("agrees", "unclear") for x in self.comparisons)

    def __str__(self) -> str:
        caption, columns = self._table
        return table_format.text(caption, columns) if columns else caption

    def _repr_html_(self) -> str:
        return table_format.html(*self._table)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row of the table, by column, for each operation of a disagreement."""
        return [
            {
                "image": x.image,
                "derivative": x.derivative,
                "difference": x.difference,
                "error": x.error,
                "verdict": x.verdict,
                "operation": "" if fault is None else fault.operation,
                "has": "" if fault is None else fault.kind,
                "at": "" if fault is None else fault.place,
            }
            for x in self.comparisons
            if x.verdict != "agrees"
            for fault in x.faults or (None,)
        ]

    @property
    def agreeing(self) -> int:
        """The number of derivatives that agree."""
        return sum(x.verdict == "agrees" for x in self.comparisons)

    @property
    def _table(self) -> tuple[str, dict[str, list[Any]]]:
        count = len(self.comparisons)
        caption = caption_of(self.agreeing, count, self.precision, self.uncorrected)
        return caption, table_format.columns_of(self.rows)


def caption_of(
    agreeing: int, total: int, precision: str, uncorrected: Sequence[str]
) -> str:
    """Return the line above the table, which says what is less precise or corrected."""
    exact = precision == "float64"
    note = "" if exact else " (differences in the precision of the model)"
    names = ", ".join(uncorrected)
    kept = f"; with the framework's derivatives in {names}" if names else ""
    return f"{agreeing} of {total} derivatives agree{note}{kept}"


def check_gradients(
    model: Model,
    x: Any,
    y: Any = None,
    *,
    directions: int = 2,
    seed: int = 0,
    logits: bool | None = None,
    derivatives: str = "corrected",
) -> GradientCheck:
    """Return whether derivatives agree with finite differences, and what differs.

    A map is only as true as the derivatives that it is made of. For each input, the
    derivative of the score along random directions is compared with how the score
    changes. Where they differ, the operations in between are compared in the same way.
    These may have a wrong derivative, none (``ops.stop_gradient``, rounding), one
    without a change (straight-through estimators), or a kink or tie at this input.

    Args:
        model: Keras model, of any kind. Operations are named, also those in layers and
            models of your own whose ``call`` is made of ``keras.ops`` and layers.
        x: Inputs, as for ``ke.explain``.
        y: What is explained, as for ``ke.explain``. The score is a random mixture of
            the units of each input.
        directions: Number of random directions for each input.
        seed: Integer >= 0, of the directions and mixtures.
        logits: As for ``ke.explain``.
        derivatives: As for ``ke.explain``.

    Returns:
        A ``GradientCheck`` with a ``Comparison`` for each input and direction; ``ok``
        says whether all is well.

    Raises:
        ValueError: If ``x``, ``y`` or a parameter is invalid.

    Example::

        print(ke.check_gradients(model, x[:4], y[:4]))
    """
    checks.integer("directions", directions, 1)
    checks.integer("seed", seed, 0)
    checks.one_of("derivatives", derivatives, DERIVATIVES)
    check_model(model)
    target = as_target(y, logits)
    if target is not None:
        target = target.with_inputs(x)
    options: dict[str, Any] = {"logits": logits, "derivatives": derivatives}
    options |= {"lower": False, "precision": "float32"}
    network = PreparedNetwork(model, y, target, METHOD, {}, **options)
    labelled = target is None and not network.top
    source = BatchSource(
        network.target_model,
        x,
        y if labelled else None,
        batch_size=1,
        labelled=labelled,
    )
    rng = np.random.default_rng(seed)
    found, exact = list[Comparison](), None
    with network.errors():
        for batch in (each for batches in source for each in batches):
            ready, one = network.ready(batch, network.required_rows or 1)
            exact = exact or ExactNetwork(ready, one.inputs)
            found += Probe(ready, exact, one).comparisons(directions, rng)
    precision = "float64" if exact and exact.dtype == "float64" else "model"
    kept = exact.uncorrected if exact and derivatives == "corrected" else []
    return GradientCheck(tuple(found), precision, tuple(dict.fromkeys(kept)))
