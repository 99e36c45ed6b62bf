"""Nonlinear steps without known mean slopes, which are linearized at their mean."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import is_float
from keras_explainable.methods.slopes.nonlinearities import Nonlinearity
from keras_explainable.network.graph import Step, by_symbol
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.network.quantity_columns import CHOOSING_LAYERS
from keras_explainable.types import Tensor


def approximated_steps(nonlinearities: Sequence[Nonlinearity]) -> list[str]:
    """Return the names of the steps whose slopes are taken at their mean input.

    Some steps of this kind are exact and are left out: products, whose derivatives are
    linear and therefore on average those at the mean; layers that prove to be affine
    when tried, whose derivatives are constant; and steps that read or write no floats,
    which have no derivatives.
    """
    return [
        each.step.operation.name
        for each in nonlinearities
        if type(each) is Nonlinearity
        and _has_derivative(each.step)
        and not _is_product(each.step)
        and not _is_affine_when_tried(each.step)
    ]


def _has_derivative(step: Step) -> bool:
    if isinstance(step.operation, CHOOSING_LAYERS):
        return False
    written = keras.tree.flatten(step.outputs)
    return all(any(is_float(x) for x in each) for each in (step.reads, written))


def _is_product(step: Step) -> bool:
    name = keras_name(step.operation)
    return name in ("Multiply", "Matmul", "Einsum", "Dot") and len(step.reads) <= 2


def _is_affine_when_tried(step: Step) -> bool:
    """Whether the output midway between two inputs is midway between their outputs."""
    rng, reads = np.random.default_rng(0), step.reads
    if not all(map(is_float, [*reads, *keras.tree.flatten(step.outputs)])):
        return False
    shapes = [(x.shape[0] or 1, *(size or 8 for size in x.shape[1:])) for x in reads]
    ends = [[rng.normal(0, 30, shape) for shape in shapes] for _ in range(2)]
    middle = [(one + other) / 2 for one, other in zip(*ends, strict=True)]
    try:
        with backend.state_kept():  # The layer may update its own variables.
            one, other, between = (
                [*map(ops.convert_to_numpy, step.run(_values(reads, point)).values())]
                for point in (*ends, middle)
            )
    except Exception:  # Such as a category that the layer does not know.
        return False
    # A layer of the user's may return other values than its symbol says.
    return all(x.dtype.kind in "biu" for x in one) or all(
        np.abs(a + b - 2 * c).max() <= 1e-4 * np.abs(a - b).max()
        for a, b, c in zip(one, other, between, strict=True)
    )


def _values(symbols: Sequence[Any], arrays: Sequence[Any]) -> dict[int, Tensor]:
    """Return the arrays in the dtypes of their symbols, by the ``id`` of these."""
    return by_symbol(symbols, [*map(ops.cast, arrays, (x.dtype for x in symbols))])
