"""Whether a function for ``y`` explains each image by itself."""

from collections.abc import Callable
from typing import Any
from warnings import catch_warnings

import keras
import numpy as np
from keras import ops

from keras_explainable import backend
from keras_explainable.common.structures import map_structure
from keras_explainable.common.warnings import warn
from keras_explainable.network.ignored_fractions import example_shape


def warn_of_coupled_rows(function: Callable[[Any], Any], outputs: Any) -> None:
    """Warn if the value of a row of outputs depends on the rows beside it.

    The batch would then decide which map an image has. Random values between 0 and 1
    are tried, as outputs may be probabilities.

    Args:
        function: Function of outputs, to values (B, units).
        outputs: Symbols of the outputs.
    """
    rng = np.random.default_rng(0)
    pair = map_structure(lambda x: rng.uniform(0.1, 0.9, _two_rows(x)), outputs)
    try:
        with catch_warnings(action="ignore"), backend.eagerly(), backend.state_kept():
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


def _two_rows(symbol: keras.KerasTensor) -> tuple[int, ...]:
    return 2, *example_shape(symbol)[1:]


def _first_value(
    function: Callable[[Any], Any], values: Any, symbols: Any, rows: int
) -> np.ndarray:
    given = map_structure(
        lambda x, like: ops.convert_to_tensor(x[:rows], like.dtype), values, symbols
    )
    return np.asarray(ops.convert_to_numpy(function(given))[:1], "float64")
