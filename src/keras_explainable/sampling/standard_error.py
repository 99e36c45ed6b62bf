"""Estimates from running moments, and the standard errors of these estimates."""

from typing import Any, Literal, get_args

import numpy as np
from keras import ops

from keras_explainable.sampling.welford import State, broadcast_rows
from keras_explainable.types import Tensor

#: Statistics over the maps of all repetitions.
Statistic = Literal["mean", "square", "variance"]
STATISTICS = get_args(Statistic)

#: Highest power of the maps to accumulate for a statistic; its error needs the double.
ORDERS = {"mean": 1, "square": 1, "variance": 2}


def estimate(state: State, counts: Any, statistic: str) -> Any:
    """Return the estimated maps, given the state of their moments."""
    return variance(state, counts) if statistic == "variance" else state[0]


def standard_error(state: State, counts: Any, statistic: str) -> Any:
    """Return the standard error of the maps that ``estimate`` returns."""
    if statistic == "variance":
        return variance_error(state, counts)
    return mean_error(state, counts)


def relative_error(state: State, counts: Any, statistic: str) -> np.ndarray:
    """Return the norm of the standard error over the norm of the map, (images, K)."""
    functions = standard_error, estimate
    error, size = (map_norms(f(state, counts, statistic)) for f in functions)
    return np.divide(error, size, out=np.where(error > 0, np.inf, 0), where=size > 0)


def map_norms(maps: Any) -> np.ndarray:
    """Return the norms (images, K) of maps (images, ..., K)."""
    axes = tuple(range(1, len(maps.shape) - 1))
    return ops.convert_to_numpy(ops.sqrt(ops.sum(maps**2, axis=axes))).astype("float64")


def variance(state: State, counts: Any) -> Tensor:
    """Return the variance, with n - 1, over each image's maps; 0 for a single map."""
    return state[1] / broadcast_rows(ops.maximum(ops.subtract(counts, 1), 1), state[0])


def mean_error(state: State, counts: Any) -> Tensor:
    """Return the standard error of the mean; infinite for a single map."""
    n = broadcast_rows(counts, state[0])
    error = ops.sqrt(variance(state, counts) / ops.maximum(n, 1))
    return ops.where(n > 1, error, np.inf)


def variance_error(state: State, counts: Any) -> Tensor:
    """Return the standard error of the variance; infinite for fewer than four maps.

    Its square is unbiased: (2 n k2^2 + (n - 1) k4) / (n (n + 1)), with Fisher's
    k-statistics (Kenney & Keeping, 1951).
    """
    n = ops.maximum(broadcast_rows(counts, state[0]), 4)
    k2 = state[1] / (n - 1)
    k4 = (n + 1) * state[3] - 3 * (n - 1) / n * state[1] ** 2
    k4 = k4 * n / ((n - 1) * (n - 2) * (n - 3))
    squared = (2 * k2**2 / (n + 1)) + (n - 1) / (n + 1) * k4 / n
    error = ops.sqrt(ops.maximum(squared, 0))
    return ops.where(broadcast_rows(counts, state[0]) > 3, error, np.inf)
