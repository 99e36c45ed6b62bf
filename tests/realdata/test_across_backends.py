"""The same noise gives the same map on TensorFlow, JAX and PyTorch."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BACKENDS = ["tensorflow", "jax", "torch"]
REPETITIONS = 4
CASES = ["mobilenet_075:float64", "squeezenet11:float64", "mobilenet_075:float32"]

pytestmark = pytest.mark.cross_backend


@pytest.fixture(scope="module")
def pairs_of(shared, tmp_path_factory):
    """Return a function for pairs of maps; one process makes all maps of a backend."""
    folders = [tmp_path_factory.mktemp(backend) for backend in BACKENDS]
    script = Path(__file__).parents[1] / "support/equal_noise_maps.py"
    for backend, folder in zip(BACKENDS, folders, strict=True):
        arguments = [shared / "realdata", REPETITIONS, folder, *CASES]
        subprocess.run(
            [sys.executable, script, *map(str, arguments)],
            env={**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1"},
            check=True,
        )

    def pairs(network, dtype):
        maps = [np.load(folder / f"{network}_{dtype}.npy") for folder in folders]
        return itertools.combinations(maps, 2)

    return pairs


@pytest.mark.parametrize("network", ["mobilenet_075", "squeezenet11"])
def test_equal_noise_gives_equal_maps(network, pairs_of):
    """In float64, as rounding in float32 flips a few ReLUs that are almost at zero."""
    for one, other in pairs_of(network, "float64"):
        scale = one.max(axis=(1, 2, 3), keepdims=True)
        assert (np.abs(one - other) / scale).max() < 1e-5


def test_float32_differs_by_rounding_and_flipped_relus_only(pairs_of):
    for one, other in pairs_of("mobilenet_075", "float32"):
        assert np.linalg.norm(one - other) < 2e-2 * np.linalg.norm(one)
