"""What steps prove to be when they are tried: affine, or the same for any order."""

from collections.abc import Callable, Sequence
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
    return all(_holds(_is_affine_between, step, scale) for scale in _SCALES)


def pools_evenly_when_tried(step: Step) -> bool:
    """Whether the output is the same for positions (B, ..., C) in any other order."""
    if len(step.reads) != 1 or {*step.reads[0].shape[1:-1]} <= {1}:
        return False
    return is_float(step.reads[0]) and _holds(_pools_evenly, step, 1.0)


def _holds(tried: Callable[..., bool], step: Step, scale: float) -> bool:
    rng = np.random.default_rng(0)
    try:
        # The layer may update its own variables.
        with backend.eagerly(), backend.state_kept():
            return tried(step, rng, scale)
    except Exception:  # Such as a category that the layer does not know.
        return False


def _pools_evenly(step: Step, rng: np.random.Generator, scale: float) -> bool:
    [values] = _random(step, rng, scale)
    positions = values.reshape(len(values), -1, values.shape[-1])
    moved = rng.permutation(positions, axis=1).reshape(values.shape)
    one, other = (_outputs(step, [x])[0] for x in (values, moved))
    return bool(np.allclose(one, other, rtol=1e-4, atol=1e-5) and one.std() > 1e-3)


def _random(step: Step, rng: np.random.Generator, scale: float) -> list[np.ndarray]:
    shapes = [
        (x.shape[0] or _ROWS, *(size or 8 for size in x.shape[1:])) for x in step.reads
    ]
    return [rng.normal(0, scale, shape) for shape in shapes]


def _outputs(step: Step, arrays: Sequence[Any]) -> list[np.ndarray]:
    values = step.run(_values(step.reads, arrays)).values()
    return [*map(ops.convert_to_numpy, values)]


def _is_affine_between(step: Step, rng: np.random.Generator, scale: float) -> bool:
    ends = [_random(step, rng, scale) for _ in range(2)]
    middle = [(one + other) / 2 for one, other in zip(*ends, strict=True)]
    one, other, between = (_outputs(step, point) for point in (*ends, middle))
    # A layer of the user's may return other values than its symbol says.
    return all(x.dtype.kind in "biu" for x in one) or all(
        np.abs(a + b - 2 * c).max() <= 1e-4 * np.abs(a - b).max()
        for a, b, c in zip(one, other, between, strict=True)
    )


def _values(symbols: Sequence[Any], arrays: Sequence[Any]) -> dict[int, Tensor]:
    """Return the arrays in the dtypes of their symbols, by the ``id`` of these."""
    return by_symbol(symbols, [*map(ops.cast, arrays, (x.dtype for x in symbols))])
