"""What a function for ``y`` reads: which rows and which outputs. It is tried.

The values that are tried are between 0 and 1, as outputs may be probabilities.
"""

from collections.abc import Callable
from typing import Any
from warnings import catch_warnings

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import map_structure
from keras_explainable.common.warnings import warn
from keras_explainable.inspection.asked_outputs import asked_outputs, keys_of
from keras_explainable.network.ignored_fractions import example_shape


def warn_of_coupled_rows(function: Callable[[Any], Any], outputs: Any) -> None:
    """Warn if the value of a row of outputs depends on the rows beside it.

    The batch would then decide which map an image has.

    Args:
        function: Function of outputs, to values (B, units).
        outputs: Symbols of the outputs.
    """
    pair = _values(outputs)
    try:
        both, alone = (_first_value(function, pair, outputs, n) for n in (2, 1))
    except Exception:  # Such as of a function that takes one size only.
        return
    if not np.allclose(both, alone, rtol=1e-2, atol=1e-5, equal_nan=True):
        warn(
            "`y` gives an image another value beside other images than alone, so that "
            "its map depends on the batch. A function for `y` must treat each row of "
            "the outputs by itself; with `batch_size=1` images are explained one by "
            "one."
        )


def asked_keys(function: Callable[[Any], Any], outputs: Any) -> list[Any]:
    """Return the keys, or positions, of outputs that a function asks for.

    They are all keys if that is not known. Values of two ranges are tried, because one
    may take another branch than the other; and the function is compiled, with which
    TensorFlow and JAX run both branches.
    """
    keys, asked = keys_of(outputs), _asked_for(function, outputs, 0.1, 0.9)
    if not asked:
        return [*keys]
    asked |= _asked_for(function, outputs, -30.0, 30.0)
    asked |= _asked_for(function, outputs, 0.1, 0.9, backend.jit)
    return [key for key in keys if key in asked]


def _asked_for(
    function: Callable[[Any], Any],
    outputs: Any,
    low: float,
    high: float,
    compiled: Callable[[Callable[[Any], Any]], Callable[[Any], Any]] = lambda run: run,
) -> set[Any]:
    keys, asked = keys_of(outputs), set[Any]()

    def run(values: Any) -> Any:
        given = asked_outputs(outputs, dict(zip(keys, values, strict=True)))
        try:
            return function(given)
        finally:
            asked.update(given.asked)

    values = _tensors(_values(outputs, low, high), outputs)
    try:
        with catch_warnings(action="ignore"), backend.eagerly(), backend.state_kept():
            compiled(run)([values[key] for key in keys])
    except Exception:  # Such as of a function that takes nothing but lists.
        return set()
    return asked


def _values(outputs: Any, low: float = 0.1, high: float = 0.9) -> Any:
    """Return random values for two rows of outputs."""
    rng = np.random.default_rng(0)
    return map_structure(lambda x: rng.uniform(low, high, _two_rows(x)), outputs)


def _two_rows(symbol: keras.KerasTensor) -> tuple[int, ...]:
    return 2, *example_shape(symbol)[1:]


def _first_value(
    function: Callable[[Any], Any], values: Any, symbols: Any, rows: int
) -> np.ndarray:
    with catch_warnings(action="ignore"), backend.eagerly(), backend.state_kept():
        given = _tensors(values, symbols, rows)
        return np.asarray(ops.convert_to_numpy(function(given))[:1], "float64")


def _tensors(values: Any, symbols: Any, rows: int = 2) -> Any:
    return map_structure(
        lambda x, like: ops.convert_to_tensor(x[:rows], like.dtype), values, symbols
    )
