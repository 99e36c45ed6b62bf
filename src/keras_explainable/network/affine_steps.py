"""Whether a step is linear in what it reads, up to a constant, found by trying it."""

from typing import Any

import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import flatten
from keras_explainable.network.graph import Step

#: Size of axes of any size, also of that of the rows.
_ANY = 4


def is_affine(step: Step) -> bool:
    """Return whether a step's value at a mean is the mean of its values.

    It is False, too, if the step refuses random numbers.
    """
    rng = np.random.default_rng(0)
    reads = [*{id(x): x for x in step.reads}.values()]
    first, second = ([_drawn(x, rng) for x in reads] for _ in range(2))
    means = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
    try:
        with backend.eagerly(), backend.state_kept():
            one, other, found = (_run(step, reads, x) for x in (first, second, means))
    except Exception:  # A layer may raise anything.
        return False
    return all(
        np.allclose((a + b) / 2, x, 1e-3, 1e-4)
        for a, b, x in zip(one, other, found, strict=True)
    )


def _drawn(symbol: Any, rng: np.random.Generator) -> np.ndarray:
    return rng.normal(size=[size or _ANY for size in symbol.shape])


def _run(step: Step, reads: list[Any], arrays: list[np.ndarray]) -> list[np.ndarray]:
    pairs = zip(reads, arrays, strict=True)
    given = {id(x): ops.convert_to_tensor(array, x.dtype) for x, array in pairs}
    values = step.run(given)
    return [ops.convert_to_numpy(values[id(x)]) for x in flatten(step.outputs)]
