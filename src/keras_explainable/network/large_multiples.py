"""Masks of numbers, of which large multiples are added before a softmax or maximum.

Attention adds (1 - mask) * -10000, for example, to the scores of what a mask hides.
"""

from typing import Any

import numpy as np
from keras import ops

from keras_explainable.common.structures import flatten
from keras_explainable.network.derivative_rules import function_of
from keras_explainable.network.graph import Step, ids
from keras_explainable.network.ignored_fractions import example_shape
from keras_explainable.network.operation_kinds import keras_name

#: How much a mask of 1 in place of 0 changes what it is added to, at least.
LARGE = 5e3

_MULTIPLYING = {"Divide", "Lambda", "Multiply", "Rescaling", "TrueDivide"}
_JOINING = {"Add", "Subtract"}

#: Operations that may come between the sum and what makes nothing of hidden values.
_BETWEEN = _JOINING | _MULTIPLYING | {
    "Cast", "Concatenate", "ExpandDims", "Maximum", "Moveaxis", "Permute", "Reshape",
    "Squeeze", "Stack", "Swapaxes", "Transpose",
}  # fmt: skip

#: Names, in small letters, of functions and layers that do.
_HIDING = {
    "exp", "globalmaxpooling1d", "globalmaxpooling2d", "globalmaxpooling3d",
    "logsoftmax", "logsumexp", "max", "sigmoid", "softmax", "sparsemax",
}  # fmt: skip


class LargeMultiples:
    """Follows large multiples of an input from step to step.

    Args:
        plain: The ``id`` of the input's symbol.
    """

    def __init__(self, plain: set[int]):
        #: Tensors that only this input gives; and those that are large multiples of it.
        self._own, self._large = set(plain), set[int]()
        #: For each sum with such multiples, these.
        self._sums: dict[int, list[Any]] = {}

    def hiding(self, step: Step) -> list[Any]:
        """Note what a step makes of the input; return the multiples that hide by it."""
        read, written = ids(step.reads), ids(step.outputs)
        large = read & self._large
        if read and read <= self._own:
            self._own |= written
            if large or _multiplies(step):
                self._large |= written
            return []
        added = [y for x in step.reads for y in self._sums.get(id(x), [])]
        if _hides(step):
            return added
        name = keras_name(step.operation)
        if name in _JOINING:
            added += [x for x in step.reads if id(x) in large]
        if added and name in _BETWEEN:
            self._sums |= dict.fromkeys(written, added)
        return []


def _hides(step: Step) -> bool:
    function = function_of(step.operation)
    name = str(getattr(function, "__name__", ""))
    return name.lower().replace("_", "") in _HIDING


def _multiplies(step: Step) -> bool:
    """Return whether what a step makes of 1 and of 0 lies far apart."""
    if keras_name(step.operation) not in _MULTIPLYING:
        return False
    try:
        one, zero = (_made_of(step, number) for number in (1.0, 0.0))
    except Exception:  # A function of the user's may raise anything.
        return False
    return bool(np.abs(one - zero).max() >= LARGE)


def _made_of(step: Step, number: float) -> np.ndarray:
    values = {
        id(x): ops.full(example_shape(x), number, dtype=x.dtype) for x in step.reads
    }
    [made] = flatten([*step.run(values).values()])
    return np.asarray(ops.convert_to_numpy(made), "float64")
