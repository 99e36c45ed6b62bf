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

pytestmark = pytest.mark.cross_backend


def maps_on(backend, network, dtype, realdata, folder):
    out = folder / f"{backend}.npy"
    script = Path(__file__).parents[1] / "support/equal_noise_maps.py"
    arguments = [realdata, network, dtype, REPETITIONS, out]
    subprocess.run(
        [sys.executable, script, *map(str, arguments)],
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1"},
        check=True,
    )
    return np.load(out)


@pytest.mark.parametrize("network", ["mobilenet_075", "squeezenet11"])
def test_equal_noise_gives_equal_maps(network, shared, tmp_path):
    """In float64, as rounding in float32 flips a few ReLUs that are almost at zero."""
    maps = [
        maps_on(backend, network, "float64", shared / "realdata", tmp_path)
        for backend in BACKENDS
    ]
    for one, other in itertools.combinations(maps, 2):
        scale = one.max(axis=(1, 2, 3), keepdims=True)
        assert (np.abs(one - other) / scale).max() < 1e-5


def test_float32_differs_by_rounding_and_flipped_relus_only(shared, tmp_path):
    maps = [
        maps_on(backend, "mobilenet_075", "float32", shared / "realdata", tmp_path)
        for backend in BACKENDS
    ]
    for one, other in itertools.combinations(maps, 2):
        assert np.linalg.norm(one - other) < 2e-2 * np.linalg.norm(one)
