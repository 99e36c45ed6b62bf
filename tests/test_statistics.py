"""The running mean: right, stable, and blind to padding."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import numpy

from keras_explainable.statistics import RunningMean


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.lists(st.integers(1, 5), min_size=1, max_size=6))
def test_mean_of_whatever_belongs_to_each_image(images, chunks):
    rng = np.random.default_rng(images)
    mean, seen = RunningMean(images), [[] for _ in range(images)]
    for rows in chunks:
        image, used = rng.integers(0, images, rows), rng.random(rows) < 0.8
        maps = rng.normal(size=(rows, 2, 3)).astype("float32")
        mean.add(maps, image, used)
        for row in np.flatnonzero(used):
            seen[image[row]].append(maps[row])
    for i, maps in enumerate(seen):
        expected = np.mean(maps, axis=0) if maps else np.zeros((2, 3))
        np.testing.assert_allclose(numpy(mean.value)[i], expected, atol=1e-5)
    assert mean.counts.tolist() == [len(maps) for maps in seen]


def test_large_offsets_do_not_drown_the_mean():
    """Ten thousand maps of 1000.1: a plain float32 sum would be off by far more."""
    mean = RunningMean(1)
    maps = np.full((100, 1, 1), 1000.1, "float32")
    for _ in range(100):
        mean.add(maps, np.zeros(100, int), np.ones(100, bool))
    np.testing.assert_allclose(numpy(mean.value), 1000.1, rtol=1e-6)


def test_double_precision_stays():
    if keras.backend.backend() == "jax":
        pytest.skip("JAX has float64 on request only")
    mean = RunningMean(1)
    mean.add(np.full((1, 1), 1 + 1e-12), np.zeros(1, int), np.ones(1, bool))
    assert numpy(mean.value)[0, 0] == 1 + 1e-12


def test_half_precision_maps_are_summed_in_float32():
    mean = RunningMean(1)
    for value in (1.0, 1.001):
        maps = np.full((1, 1), value, "float16")
        mean.add(maps, np.zeros(1, int), np.ones(1, bool))
    assert "float32" in str(mean.value.dtype)
