"""Whether sums of a map's values predict drops, for models with known answers."""

import tracemalloc

import keras
import numpy as np
import pytest
from support.attributions import UNITS, X, contributions, random_maps
from support.small_models import linear, network

from keras_explainable.metrics.attribution_sums import (
    faithfulness_correlation,
    infidelity,
    sensitivity_n,
)

CORRELATIONS = [faithfulness_correlation, sensitivity_n]


@pytest.mark.parametrize("metric", CORRELATIONS)
@pytest.mark.parametrize("baseline", [0.0, 0.5])
def test_attributions_of_a_linear_model_correlate(metric, baseline):
    model = linear()
    maps = contributions(model, baseline)
    options = {"draws": 20, "baseline": baseline, "verbose": 0}
    scores = metric(model, X, maps, UNITS, **options)
    np.testing.assert_allclose(scores, 1, atol=1e-4)
    np.testing.assert_allclose(metric(model, X, 3 * maps, UNITS, **options), scores)
    opposite = metric(model, X, -maps, UNITS, **options)
    np.testing.assert_allclose(opposite, -scores)
    assert metric.higher_is_better


def test_constants_do_not_count_at_one_size():
    """Sums over sets of one size all change by the same."""
    model, maps, options = linear(), random_maps(), {"draws": 20, "verbose": 0}
    one = faithfulness_correlation(model, X, maps, UNITS, size=5, **options)
    other = faithfulness_correlation(model, X, maps + 2, UNITS, size=5, **options)
    np.testing.assert_allclose(one, other, atol=1e-6)
    again = sensitivity_n(model, X, maps, UNITS, n=5, **options)
    np.testing.assert_allclose(again, one)
    pair = [sensitivity_n(model, X, maps, UNITS, n=n, **options) for n in (3, 6)]
    assert not np.allclose(pair[0], pair[1])


def test_correlations_of_random_maps_are_0_on_average():
    maps = random_maps(k=2, seed=3)
    maps = np.concatenate([maps, -maps])
    twice, units = np.concatenate([X, X]), np.concatenate([UNITS, UNITS])
    scores = faithfulness_correlation(
        linear(), twice, maps, units, ids=[*range(6)] * 2, draws=50, verbose=0
    )
    np.testing.assert_allclose(scores.mean(), 0, atol=1e-6)
    assert abs(scores).max() < 0.95


@pytest.mark.parametrize("metric", CORRELATIONS)
def test_equal_sums_or_drops_have_no_correlation(metric):
    maps = random_maps()
    maps[0, ..., 1] = 0
    maps[1, ..., 0] = 0.1  # The mean of seven equal sums of it is rounded.
    size = {"size": 7} if metric is faithfulness_correlation else {"n": 7}
    scores = metric(linear(), X, maps, UNITS, draws=7, verbose=0, **size)
    unknown = np.argwhere(np.isnan(scores)).tolist()
    assert unknown == [[0, 1], [1, 0]]


def test_infidelity_of_a_linear_model_in_closed_form():
    model, options = linear(), {"draws": 30, "verbose": 0}
    maps = contributions(model)
    exact = infidelity(model, X, maps, UNITS, **options)
    np.testing.assert_allclose(exact, 0, atol=1e-6)
    nothing = infidelity(model, X, 0 * maps, UNITS, **options)
    double = infidelity(model, X, 2 * maps, UNITS, **options)
    np.testing.assert_allclose(double, nothing, rtol=1e-3)
    # Squares of one pixel: each pixel is as likely as any other.
    many = infidelity(model, X, 0 * maps, UNITS, size=1, draws=800, verbose=0)
    np.testing.assert_allclose(many, (maps**2).mean(axis=(1, 2)), rtol=0.3)
    whole = infidelity(model, X, 0 * maps, UNITS, size=4, **options)
    np.testing.assert_allclose(whole, maps.sum(axis=(1, 2)) ** 2, rtol=1e-3, atol=1e-5)
    assert not infidelity.higher_is_better


def test_scaled_infidelity_does_not_depend_on_the_scale():
    model, options = linear(), {"draws": 30, "scaled": True, "verbose": 0}
    maps = random_maps()
    scores = infidelity(model, X, maps, UNITS, **options)
    np.testing.assert_allclose(
        infidelity(model, X, 7 * maps, UNITS, **options), scores, rtol=1e-6
    )
    plain = infidelity(model, X, maps, UNITS, draws=30, verbose=0)
    assert (scores <= plain + 1e-9).all()
    perfect = infidelity(model, X, 9 * contributions(model), UNITS, **options)
    np.testing.assert_allclose(perfect, 0, atol=1e-6)
    nothing = infidelity(model, X, 0 * maps, UNITS, **options)
    assert np.isfinite(nothing).all()


@pytest.mark.parametrize("metric", [*CORRELATIONS, infidelity])
def test_draws_do_not_depend_on_batches_or_other_units(metric):
    x = np.random.default_rng(0).normal(size=(4, 12, 12, 3)).astype("float32")
    maps = np.random.default_rng(1).normal(size=(4, 12, 12, 2))
    units, model = [[0, 1], [2, 3], [4, 0], [1, 2]], network()
    options = {"draws": 6, "verbose": 0}
    scores = metric(model, x, maps, units, **options)
    some = metric(
        model, x[1:3], maps[1:3], units[1:3], ids=[1, 2], batch_size=5, **options
    )
    np.testing.assert_allclose(some, scores[1:3], rtol=1e-2, atol=1e-6)
    one = metric(model, x, maps[..., 1:], [[u] for _, u in units], **options)
    np.testing.assert_allclose(one, scores[:, 1:], rtol=1e-2, atol=1e-6)
    other = metric(model, x, maps, units, seed=1, **options)
    assert not np.allclose(other, scores, rtol=1e-2)


def test_memory_does_not_grow_with_the_number_of_draws():
    x = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype("float32")
    inputs = keras.Input((32, 32, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(pooled))
    peaks = []
    for draws in (8, 8, 200):  # The first call compiles.
        tracemalloc.start()
        infidelity(
            model, x, x[..., :1], draws=draws, batch_size=4,
            baseline="noisy_linear", verbose=0,
        )  # fmt: skip
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] - peaks[1] < 50 * x.nbytes  # 192 copies more were made.


@pytest.mark.parametrize(
    ("metric", "options", "error", "message"),
    [
        (
            faithfulness_correlation,
            {"size": 16},
            ValueError,
            "`size` must be at most 15",
        ),
        (
            faithfulness_correlation,
            {"draws": 1},
            ValueError,
            "`draws` must be at least 2",
        ),
        (sensitivity_n, {"n": [3, 0]}, ValueError, "`n` must be at least 1"),
        (sensitivity_n, {"n": 2.5}, TypeError, "`n` must be an integer"),
        (infidelity, {"size": 5}, ValueError, "`size` must be at most 4"),
        (infidelity, {"scaled": "x"}, TypeError, "`scaled` must be True or False"),
    ],
)
def test_errors(metric, options, error, message):
    with pytest.raises(error, match=message):
        metric(linear(), X, random_maps(), UNITS, verbose=0, **options)
