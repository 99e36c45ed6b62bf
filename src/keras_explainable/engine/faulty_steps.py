"""Which operations of a network have a derivative that differs from their change."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_explainable.common.structures import Nested
from keras_explainable.engine.exact_network import ExactNetwork
from keras_explainable.engine.step_differences import Fault, StepDifferences
from keras_explainable.network.graph import Step

#: Part of the largest disagreement from which an operation is named, too.
NAMED_FROM = 0.25

#: Part of a layer's disagreement by which that of its operations may differ. It is off
#: by more if the layer has a derivative of its own.
SAME = 0.1


def faulty_steps(
    network: ExactNetwork,
    inputs: Nested,
    ends: Sequence[Nested],
    step: float,
    weights: Any,
) -> list[Fault]:
    """Return the operations to which a disagreement is due, the worst first.

    The disagreement of a network is the sum of those of its operations: of each, the
    derivative along the change of what it reads, and the change of what it writes, both
    weighted by the derivatives of the score.

    Args:
        network: Network that runs.
        inputs: One input (1, ...).
        ends: The input moved by ``step`` along a direction, and by ``-step``.
        step: Step of the finite difference.
        weights: Derivatives of the score by the outputs (1, units).
    """
    if network.operations is None:
        return [Fault(network.name, "inner operations are not known", 0, 0)]
    moved = [[x] for x in (inputs, *ends)]
    with np.errstate(invalid="ignore"):  # Derivatives may be infinite, or no numbers.
        return _named(StepDifferences(network.operations, moved, step, [weights]))


def _named(differences: StepDifferences) -> list[Fault]:
    """Return the worst operations, or those inside them."""
    worst = max((fault.size for fault, _ in differences.faults), default=0)
    named = [
        inner
        for fault, step in differences.faults
        if fault.size >= NAMED_FROM * worst > 0
        for inner in _inside(differences, step, fault)
    ]
    return sorted(named, key=lambda x: -x.size)


def _inside(differences: StepDifferences, step: Step, fault: Fault) -> list[Fault]:
    """Return the faulty operations inside a step, if they explain its fault."""
    try:
        inner = differences.inside(step)
        named = _named(inner) if inner is not None and _explains(inner, fault) else []
    except Exception:  # A layer may do something else with symbols than with tensors.
        named = []
    outer = fault.operation
    return [x._replace(operation=f"{x.operation} in {outer}") for x in named] or [fault]


def _explains(inner: StepDifferences, fault: Fault) -> bool:
    found, whole = inner.total, fault.excess
    return bool(np.isclose(found, whole, rtol=SAME, atol=0, equal_nan=True))
