"""Rank correlations of patches, for models with known answers."""

import keras
import numpy as np
import pytest
from keras import layers
from scipy.stats import spearmanr
from support.attributions import UNITS, X, contributions, random_maps
from support.small_models import linear, network, numpy

from keras_explainable.metrics import single_deletion


@pytest.mark.parametrize("baseline", [0.0, 0.5])
def test_attributions_of_a_linear_model_score_1(baseline):
    model = linear()
    maps = contributions(model, baseline)
    options = {"grid": 2, "baseline": baseline, "verbose": 0}
    scores = single_deletion(model, X, maps, UNITS, **options)
    np.testing.assert_allclose(scores, 1)
    # Ranks: any map that is larger where the sums are.
    np.testing.assert_allclose(single_deletion(model, X, 3 * maps, UNITS, **options), 1)
    np.testing.assert_allclose(single_deletion(model, X, -maps, UNITS, **options), -1)
    constant = single_deletion(model, X, 0 * maps + 1, UNITS, **options)
    assert np.isnan(constant).all()


def test_patches_are_removed_one_by_one():
    """Of sides that the grid does not divide, by hand."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 12, 12, 3)).astype("float32")
    maps, y = rng.normal(size=(2, 12, 12, 1)), [[1], [3]]
    model = network()
    found = single_deletion(model, x, maps, y, grid=5, verbose=0, batch_size=3)
    number = np.arange(12) * 5 // 12
    score = numpy(model(x))[[0, 1], [1, 3]]
    for image in range(2):
        sums, drops = [], []
        for place in np.ndindex(5, 5):
            inside = np.outer(number == place[0], number == place[1])
            without = np.where(inside[..., None], 0, x[image])
            sums.append(maps[image][inside].sum())
            after = numpy(model(without[None].astype("float32")))[0, y[image][0]]
            drops.append(score[image] - after)
        expected = spearmanr(sums, drops).statistic
        np.testing.assert_allclose(found[image, 0], expected, atol=1e-6)


def test_random_maps_score_0_on_average():
    scores = [
        single_deletion(linear(), X, random_maps(seed=seed), UNITS, verbose=0)
        for seed in range(8)
    ]
    assert abs(np.mean(scores)) < 4 / np.sqrt(15 * np.size(scores))


@pytest.mark.parametrize("grid", [1, 5, 2.0])
def test_grids_fit_into_the_image(grid):
    with pytest.raises((TypeError, ValueError), match="`grid` must be"):
        single_deletion(linear(), X, random_maps(), UNITS, grid=grid, verbose=0)


def test_signals_have_segments():
    inputs = keras.Input((12, 2))
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inputs)))
    x = np.random.default_rng(0).normal(size=(2, 12, 2)).astype("float32")
    weights = numpy(model.layers[-1].kernel).reshape(12, 2, 3)
    maps = np.einsum("nsc,scu->nsu", x, weights)
    np.testing.assert_allclose(single_deletion(model, x, maps, verbose=0), 1)
