"""Complexity of maps with known answers."""

from functools import partial

import numpy as np
import pytest

from keras_explainable.metrics import (
    auc,
    complexity,
    effective_complexity,
    sparseness,
)

#: The upper half of an image.
ABOVE = np.repeat([[1] * 20, [0] * 20], 8, axis=0)[None]

METRICS = [sparseness, complexity, effective_complexity]


def one_pixel(side=4):
    maps = np.zeros((1, side, side, 1))
    maps[0, 1, 2] = -3
    return maps


def some_maps(seed=0):
    return np.random.default_rng(seed).normal(size=(3, 4, 5, 2)).astype("float32")


@pytest.mark.parametrize(
    ("metric", "concentrated", "spread"),
    [
        (sparseness, 1 - 1 / 16, 0),
        (complexity, 0, np.log(16)),
        (effective_complexity, 1 / 16, 1),
    ],
)
def test_extremes(metric, concentrated, spread):
    for maps, wanted in (one_pixel(), concentrated), (np.ones((1, 4, 4, 1)), spread):
        np.testing.assert_allclose(metric(maps), [[wanted]], atol=1e-12)
    best = max if metric.higher_is_better else min
    assert best(concentrated, spread) == concentrated


def test_sparseness_is_the_mean_difference_of_pairs():
    a = np.abs(some_maps()).reshape(3, -1, 2)
    pairs = np.abs(a[:, :, None] - a[:, None]).mean(axis=(1, 2))
    np.testing.assert_allclose(sparseness(some_maps()), pairs / a.mean(1) / 2, 1e-5)


@pytest.mark.parametrize("metric", METRICS)
def test_scale_sign_and_order_of_pixels_do_not_count(metric):
    maps = some_maps()
    scores = metric(maps)
    assert scores.shape == (3, 2)
    for same in (7 * maps, -maps, maps[:, ::-1], maps.reshape(3, 20, 2)):
        np.testing.assert_allclose(metric(same), scores, rtol=1e-5)
    np.testing.assert_array_equal(metric(maps[1:2]), scores[1:2])


@pytest.mark.parametrize("metric", METRICS)
def test_a_map_of_zeros_has_no_score(metric):
    maps = some_maps()
    maps[1, ..., 0] = 0
    assert np.isnan(metric(maps)).tolist() == [[False] * 2, [True, False], [False] * 2]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("maps", "error", "message"),
    [
        (np.ones((4, 4)), ValueError, r"`maps` must have the shape \(N, H, W, K\)"),
        (np.ones((0, 4, 4, 1)), ValueError, "`maps` must have the shape"),
        (np.full((9, 2, 2, 1), np.nan), ValueError, "for images 0, 1, 2, 3, 4 and 4"),
        (np.ones((1, 2, 2, 1), "complex64"), TypeError, "`maps`"),
    ],
)
def test_errors(metric, maps, error, message):
    with pytest.raises(error, match=message):
        metric(maps)


@pytest.mark.parametrize("threshold", [-1, 1])
def test_threshold_is_a_fraction(threshold):
    with pytest.raises(ValueError, match="`threshold` must be"):
        effective_complexity(some_maps(), threshold=threshold)


@pytest.mark.parametrize("metric", [*METRICS, partial(auc, masks=ABOVE)])
def test_maps_of_images_without_units_are_asked_back(metric):
    maps = np.random.default_rng(0).uniform(size=(1, 16, 20))
    with pytest.warns(UserWarning, match=r"`maps\[\.\.\., None\]`"):
        assert metric(maps).shape == (1, 20)
    assert metric(maps[..., None]).shape == (1, 1)  # Without a warning.
    assert np.isfinite(complexity(maps[..., :15])).all()
