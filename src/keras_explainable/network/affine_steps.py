"""Steps that prove to be affine functions of what they read when they are tried."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import is_float
from keras_explainable.network.graph import Step, by_symbol
from keras_explainable.types import Tensor

#: Standard deviations of the values that are tried. Functions that saturate are
#: constant at large ones, and small ones do not reach thresholds.
_SCALES = (1.0, 30.0)

#: Pairs that are tried at once: those of some lie on both sides of any kink.
_ROWS = 16


def is_affine_when_tried(step: Step) -> bool:
    """Whether the output midway between two inputs is midway between their outputs."""
    if not all(map(is_float, [*step.reads, *keras.tree.flatten(step.outputs)])):
        return False
    rng = np.random.default_rng(0)
    try:
        # The layer may update its own variables.
        with backend.eagerly(), backend.state_kept():
            return all(_is_affine_between(step, rng, scale) for scale in _SCALES)
    except Exception:  # Such as a category that the layer does not know.
        return False


def _is_affine_between(step: Step, rng: np.random.Generator, scale: float) -> bool:
    shapes = [
        (x.shape[0] or _ROWS, *(size or 8 for size in x.shape[1:])) for x in step.reads
    ]
    ends = [[rng.normal(0, scale, shape) for shape in shapes] for _ in range(2)]
    middle = [(one + other) / 2 for one, other in zip(*ends, strict=True)]
    one, other, between = (
        [*map(ops.convert_to_numpy, step.run(_values(step.reads, point)).values())]
        for point in (*ends, middle)
    )
    # A layer of the user's may return other values than its symbol says.
    return all(x.dtype.kind in "biu" for x in one) or all(
        np.abs(a + b - 2 * c).max() <= 1e-4 * np.abs(a - b).max()
        for a, b, c in zip(one, other, between, strict=True)
    )


def _values(symbols: Sequence[Any], arrays: Sequence[Any]) -> dict[int, Tensor]:
    """Return the arrays in the dtypes of their symbols, by the ``id`` of these."""
    return by_symbol(symbols, [*map(ops.cast, arrays, (x.dtype for x in symbols))])
