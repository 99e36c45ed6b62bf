"""Running moments are right, stable, merged in any order, and ignore padding."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from support.small_models import numpy

from keras_explainable.sampling import standard_error, welford
from keras_explainable.sampling.welford import Moments

SHAPE = (2, 3)


def filled(maps, image, order, chunk=4, images=2):
    """Return the moments of ``maps``, added in chunks of which the last is padded."""
    moments = Moments(images, order)
    for start in range(0, len(maps), chunk):
        rows = np.minimum(np.arange(start, start + chunk), len(maps) - 1)
        used = np.arange(start, start + chunk) < len(maps)
        moments.add(maps[rows], image[rows], used)
    return moments


def sums(maps):
    """Return the mean and sums of powers of the differences from it, directly."""
    mean = maps.mean(axis=0, dtype="float64")
    return [mean, *(((maps - mean) ** power).sum(axis=0) for power in (2, 3, 4))]


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 3), st.integers(3, 30), st.integers(1, 7))
def test_moments_of_each_image(images, count, chunk):
    rng = np.random.default_rng(count)
    maps = rng.gamma(2, size=(count, *SHAPE)).astype("float32")
    image = rng.integers(0, images, count)
    moments = filled(maps, image, 4, chunk, images)
    assert moments.counts.tolist() == np.bincount(image, minlength=images).tolist()
    for i in np.unique(image):
        for found, expected in zip(moments.state, sums(maps[image == i]), strict=True):
            np.testing.assert_allclose(numpy(found)[i], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("order", [1, 2, 4])
def test_halves_merge_to_the_whole(order):
    rng = np.random.default_rng(0)
    maps = rng.normal(3, size=(50, *SHAPE)).astype("float32")
    image = np.arange(50) % 2
    whole = filled(maps, image, order)
    parts = [
        filled(maps[part], image[part], order) for part in np.split(np.r_[:50], [14])
    ]
    pairs = [(part.state, part.counts) for part in parts]
    for found, expected in zip(
        welford.merged(*pairs[0], *pairs[1]), whole.state, strict=True
    ):
        np.testing.assert_allclose(numpy(found), numpy(expected), rtol=1e-4, atol=1e-3)


def test_merging_with_nothing_changes_nothing():
    maps = np.random.default_rng(0).normal(size=(6, *SHAPE)).astype("float32")
    moments = filled(maps, np.zeros(6, int), 4)
    nothing = [ops.zeros_like(x) for x in moments.state], np.zeros(2, int)
    for parts in (
        (moments.state, moments.counts, *nothing),
        (*nothing, moments.state, moments.counts),
    ):
        for found, expected in zip(welford.merged(*parts), moments.state, strict=True):
            np.testing.assert_allclose(numpy(found), numpy(expected), rtol=1e-6)


def test_large_offsets_do_not_swamp_mean_or_variance():
    """With ten thousand maps about 1000.1, plain float32 sums would fail."""
    rng = np.random.default_rng(0)
    maps = (1000.1 + rng.normal(scale=0.1, size=(10_000, 1, 1))).astype("float32")
    moments = filled(maps, np.zeros(10_000, int), 2, chunk=100, images=1)
    np.testing.assert_allclose(
        numpy(moments.state[0])[0], maps.mean(dtype="float64"), rtol=1e-7
    )
    found = numpy(standard_error.variance(moments.state, moments.counts))[0]
    np.testing.assert_allclose(found, maps.var(ddof=1, dtype="float64"), rtol=0.01)


@pytest.mark.parametrize("count", [8, 64])
def test_standard_errors_are_those_of_many_repeated_experiments(count):
    """Each "image" is one experiment; the error estimates their spread."""
    rng, experiments = np.random.default_rng(0), 4000
    maps = rng.normal(size=(count * experiments, 1, 1)).astype("float32")
    image = np.repeat(np.arange(experiments), count)
    moments = filled(maps, image, 4, chunk=len(maps), images=experiments)
    parts = moments.state, moments.counts
    for estimate, error in (
        (moments.state[0], standard_error.mean_error(*parts)),
        (standard_error.variance(*parts), standard_error.variance_error(*parts)),
    ):
        spread = numpy(estimate).std()
        estimated = np.sqrt((numpy(error) ** 2).mean())
        assert 0.9 < estimated / spread < 1.1


def test_the_error_of_too_few_maps_is_infinite():
    for count in range(1, 5):
        moments = filled(np.ones((count, 1)), np.zeros(count, int), 4, images=1)
        parts = moments.state, moments.counts
        assert np.isfinite(numpy(standard_error.mean_error(*parts))) == (count > 1)
        assert np.isfinite(numpy(standard_error.variance_error(*parts))) == (count > 3)


def test_double_precision_is_kept():
    if keras.backend.backend() == "jax":
        pytest.skip("JAX has float64 on request only")
    mean = Moments(1)
    mean.add(np.full((1, 1), 1 + 1e-12), np.zeros(1, int), np.ones(1, bool))
    assert numpy(mean.state[0])[0, 0] == 1 + 1e-12


def test_half_precision_maps_are_summed_in_float32():
    mean = Moments(1)
    for value in (1.0, 1.001):
        maps = np.full((1, 1), value, "float16")
        mean.add(maps, np.zeros(1, int), np.ones(1, bool))
    assert "float32" in str(mean.state[0].dtype)
