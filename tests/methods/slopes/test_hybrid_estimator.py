"""The hybrid estimator: its pairs, their gradients, and how it combines maps."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from keras import layers
from support.estimators import explained, network, pictures

import keras_explainable as ke
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.slopes.combine_by_error import combine_by_error
from keras_explainable.methods.slopes.hybrid_estimator import (
    ImageEstimate,
    ImageEstimator,
)
from keras_explainable.methods.slopes.max_pooling import window_values
from keras_explainable.sampling.parameters import Sampling


def chunks(repetitions, rows, hybrid=True):
    call = SimpleNamespace(rows=rows, indices=np.zeros((1, 1), int))
    sampling = Sampling(repetitions, 0, copies=2)
    return [*ImageEstimator(call, None, sampling, hybrid, 0, None).chunks()]


@given(some.integers(2, 150), some.integers(1, 40), some.booleans())
def test_each_pair_is_drawn_once_and_in_order(pairs, rows, hybrid):
    parts = [copies for _, copies in chunks(2 * pairs, rows, hybrid)]
    drawn = np.concatenate([copies.draw[copies.used] for copies in parts])
    np.testing.assert_array_equal(drawn, np.arange(pairs))
    assert max(2 * len(copies.draw) for copies in parts) <= max(rows, 2 + 2 * hybrid)


@given(some.integers(2, 150), some.integers(1, 40))
def test_pairs_of_a_chunk_alternate_between_the_groups(pairs, rows):
    for _, copies in chunks(2 * pairs, rows):
        turn = np.arange(len(copies.draw)) % 2
        assert (copies.draw % 2 == turn)[copies.used].all()


@pytest.mark.parametrize(
    ("repetitions", "expected"), [(4, 4), (16, 16), (40, 16), (64, 32), (200, 168)]
)
def test_first_and_last_copies_have_gradients(repetitions, expected):
    backward = [2 * c.used.sum() for back, c in chunks(repetitions, 16) if back]
    assert sum(backward) == expected
    assert not any(back for back, _ in chunks(repetitions, 16, hybrid=False))


@pytest.mark.parametrize(
    ("of_samples", "expected"), [(0.1, False), (0.12, True), (0, False)]
)
def test_copies_between_have_gradients_if_that_lowers_the_error_more(
    of_samples, expected
):
    """After 8 pairs, the variance of the slopes is 1, and after 24 it is 1 / 3.

    The next pair lowers it by 1 / 72, and that of the samples by 1 / 8 of what it is if
    it has gradients; such a pair takes twice as long.
    """
    estimator = ImageEstimator(
        SimpleNamespace(rows=16, indices=np.zeros((1, 1), int)),
        None,
        Sampling(64, 0, copies=2),
        True,
        0,
        None,
    )
    estimator.gradients = []
    parts = np.array([of_samples]), np.array([1.0])
    estimator.estimate = lambda: ImageEstimate(None, None, 8, parts)
    backward = np.concatenate(
        [[b] * copies.used.sum() for b, copies in estimator.chunks()]
    )
    assert backward[:8].all()
    assert backward[24:].all()
    assert (backward[8:24] == expected).all()


@pytest.mark.parametrize("repetitions", [6, 18, 70])
def test_groups_of_different_sizes_and_chunks_that_are_not_full(repetitions):
    model, x = network(layers.Conv2D(4, 3), layers.AveragePooling2D(2)), pictures(1)
    _, expected = ke.explain(SIGNED_GRADIENTS, model, x, [1], verbose=0)
    found = explained(model, x, [1], "hybrid", repetitions, batch_size=16)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def halves(rng, limit, bias, slope_noise, noise, pairs):
    """Return the arguments of ``combine_by_error`` for a known limit (1, V, 1)."""
    slopes = limit + bias + slope_noise * rng.normal(size=(2, *limit.shape[1:]))
    gradients = limit + noise * rng.normal(size=(2, pairs, *limit.shape[1:]))
    squares = np.square(gradients).sum(axis=2).mean(axis=1)
    given = gradients.mean(axis=1), squares, slopes, np.full(2, pairs)
    return [keras.ops.convert_to_tensor(x, "float32") for x in given]


@pytest.mark.parametrize(
    ("bias", "slope_noise", "noise", "pairs"),
    [(0.5, 0.1, 3, 4), (0.1, 0.5, 3, 8), (1, 0, 1, 16), (0, 0, 5, 2)],
)
def test_the_combination_is_better_than_either_and_estimates_its_error(
    bias, slope_noise, noise, pairs
):
    rng = np.random.default_rng(0)
    limit = rng.normal(size=(1, 20_000, 1))
    deviation = bias * rng.normal(size=limit.shape)
    given = halves(rng, limit, deviation, slope_noise, noise, pairs)
    found = map(keras.ops.convert_to_numpy, combine_by_error(*given))
    combined, estimated, of_samples, of_slopes = found
    alone = (keras.ops.convert_to_numpy(given[k]).mean(axis=0) for k in (0, 2))
    true, *others = (np.square(maps - limit).sum() for maps in (combined, *alone))
    size = np.square(limit).sum()
    assert true <= 1.02 * min(others) + 0.005 * size  # Weights are estimated.
    assert abs(estimated[0, 0] - true) < 0.1 * size
    if bias == 0:  # The error consists of the two variances.
        np.testing.assert_allclose(of_samples + of_slopes, true, atol=0.02 * size)


def test_the_estimated_error_includes_that_of_the_weights():
    """On average over many limits of few values, where weights fit the noise."""
    rng = np.random.default_rng(1)
    limits = rng.normal(size=(1, 100, 300))
    deviation = 0.5 * rng.normal(size=limits.shape)
    slopes = np.concatenate([limits + deviation] * 2)
    gradients = limits + 2 * rng.normal(size=(2, 8, *limits.shape[1:]))
    squares = np.square(gradients).sum(axis=2).mean(axis=1)
    given = gradients.mean(axis=1), squares, slopes, np.full(2, 8)
    found = combine_by_error(
        *(keras.ops.convert_to_tensor(x, "float32") for x in given)
    )
    combined, estimated, *_ = map(keras.ops.convert_to_numpy, found)
    true = np.square(combined - limits).sum(axis=1)
    assert abs(estimated.mean() / true.mean() - 1) < 0.06


def test_a_map_of_noise_alone_is_not_zero():
    """Neither samples nor slopes seem to know anything: the mean of samples stays."""
    rng = np.random.default_rng(3)
    limit = np.zeros((1, 500, 2))
    samples, squares, slopes, counts = halves(rng, limit, 0, 0.1, 1, 4)
    # Halves that contradict each other leave nothing in common.
    samples = keras.ops.stack([samples[0], -samples[0] + 0.1 * samples[1]])
    slopes = -keras.ops.flip(samples, axis=0)
    combined, estimated, *_ = map(
        keras.ops.convert_to_numpy, combine_by_error(samples, squares, slopes, counts)
    )
    expected = keras.ops.convert_to_numpy(samples).mean(axis=0, keepdims=True)
    np.testing.assert_allclose(combined, expected, rtol=1e-4, atol=1e-6)
    assert np.isfinite(estimated).all()


@settings(max_examples=20, deadline=None)  # JAX compiles each shape.
@given(some.data())
def test_windows_are_those_of_the_layer(data):
    size = data.draw(some.tuples(some.integers(1, 4), some.integers(1, 4)))
    strides = data.draw(some.tuples(some.integers(1, 4), some.integers(1, 4)))
    shape = data.draw(some.tuples(some.integers(4, 9), some.integers(4, 9)))
    padding = data.draw(some.sampled_from(["valid", "same"]))
    layer = layers.MaxPooling2D(size, strides, padding)
    x = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype("f4")
    values = [*map(keras.ops.convert_to_numpy, window_values(layer, x, -np.inf))]
    assert len(values) == size[0] * size[1]
    expected = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_array_equal(np.max(values, axis=0), expected)
