"""Nonlinear steps without known mean slopes, which are linearized at their mean."""

from collections.abc import Sequence

import keras

from keras_explainable.common.structures import is_float
from keras_explainable.methods.slopes.nonlinearities import Nonlinearity
from keras_explainable.network.affine_steps import is_affine_when_tried
from keras_explainable.network.graph import Step
from keras_explainable.network.operation_kinds import keras_name
from keras_explainable.network.quantity_columns import CHOOSING_LAYERS


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
        and not is_affine_when_tried(each.step)
    ]


def _has_derivative(step: Step) -> bool:
    if isinstance(step.operation, CHOOSING_LAYERS):
        return False
    written = keras.tree.flatten(step.outputs)
    return all(any(is_float(x) for x in each) for each in (step.reads, written))


def _is_product(step: Step) -> bool:
    name = keras_name(step.operation)
    return name in ("Multiply", "Matmul", "Einsum", "Dot") and len(step.reads) <= 2
