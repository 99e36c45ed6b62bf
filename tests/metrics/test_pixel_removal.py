"""Scores along the removal of pixels, against closed forms and theory."""

import keras
import numpy as np
import pytest
from support.attributions import UNITS, X, contributions, random_maps, scores_of
from support.small_models import linear, network

from keras_explainable.metrics.pixel_removal import (
    degradation_score,
    deletion,
    insertion,
    perturbation_curves,
    pixel_flipping,
    road,
)

AREAS = [deletion, insertion, degradation_score, pixel_flipping]
IMAGES = np.random.default_rng(0).normal(size=(3, 12, 12, 3)).astype("float32")
MAPS = np.random.default_rng(1).normal(size=(3, 12, 12, 2))
LABELS = np.array([[0, 1], [2, 3], [4, 0]])


def removed(model, maps, baseline):
    """Return the scores (N, 17, K) of a linear model without the first pixels."""
    shares = contributions(model, baseline).reshape(6, 16, 2)
    order = np.argsort(-maps.reshape(6, 16, 2), axis=1)
    drops = np.cumsum(np.take_along_axis(shares, order, axis=1), axis=1)
    return scores_of(model, X)[:, None] - np.pad(drops, [(0, 0), (1, 0), (0, 0)])


@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_curves_of_a_linear_model_in_closed_form(baseline):
    model, maps = linear(), random_maps()
    morf, lerf = removed(model, maps, baseline), removed(model, -maps, baseline)
    wanted = {"morf": morf, "lerf": lerf, "insertion": lerf[:, ::-1]}
    for order, curve in wanted.items():
        found = perturbation_curves(
            model, X, maps, UNITS, order=order, baseline=baseline, verbose=0
        )
        np.testing.assert_allclose(found.scores, curve, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(found.fractions, np.arange(17) / 16)
        area = (curve[:, 1:] + curve[:, :-1]).mean(axis=1) / 2
        np.testing.assert_allclose(found.area, area, rtol=1e-3, atol=1e-4)


def test_scores_are_areas_of_the_curves():
    model, maps = linear(), random_maps()
    morf, lerf = removed(model, maps, 0), removed(model, -maps, 0)
    areas = [(x[:, 1:] + x[:, :-1]).mean(axis=1) / 2 for x in (morf, lerf)]
    wanted = {
        deletion: areas[0],
        insertion: areas[1],
        degradation_score: areas[1] - areas[0],
        pixel_flipping: morf[:, 0] - morf.mean(axis=1),
    }
    for metric, scores in wanted.items():
        found = metric(model, X, maps, UNITS, baseline=0.0, verbose=0)
        np.testing.assert_allclose(found, scores, rtol=1e-3, atol=1e-4)
    parts = [(lerf[:, k] - morf[:, k]) / 2 for k in (4, 8, 12)]
    found = road(
        model, X, maps, UNITS, percentiles=(25, 50, 75), baseline=0.0, verbose=0
    )
    np.testing.assert_allclose(found, np.mean(parts, axis=0), rtol=1e-3, atol=1e-4)


def test_steps_are_equal_and_end_at_the_baseline():
    curves = perturbation_curves(
        linear(), X, random_maps(), UNITS, steps=3, baseline="mean", verbose=0
    )
    np.testing.assert_allclose(curves.fractions, np.array([0, 5, 11, 16]) / 16)
    whole = removed(linear(), random_maps(), 0)
    assert curves.scores.shape == (6, 4, 2)
    assert not np.allclose(curves.scores[:, -1], whole[:, -1])


def test_insertion_is_the_removal_of_the_smallest_pixels_first():
    """Holds for any model: the same copies are made."""
    model, options = network(), {"steps": 6, "verbose": 0, "baseline": 0.3}
    curves = [
        perturbation_curves(model, IMAGES, MAPS, LABELS, order=order, **options)
        for order in ("insertion", "lerf")
    ]
    np.testing.assert_allclose(
        curves[0].scores, curves[1].scores[:, ::-1], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("metric", [*AREAS, road])
def test_only_the_order_of_pixels_counts(metric):
    model, options = linear(), {"baseline": 0.0, "verbose": 0}
    maps = random_maps()
    scores = metric(model, X, maps, UNITS, **options)
    assert scores.shape == (6, 2)
    for same in (5 * maps, maps + 3, np.exp(maps)):
        np.testing.assert_allclose(metric(model, X, same, UNITS, **options), scores)
    assert not np.allclose(metric(model, X, -maps, UNITS, **options), scores)
    one = metric(model, X, maps[..., :1], UNITS[:, :1], **options)
    np.testing.assert_allclose(one, scores[:, :1], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("metric", [*AREAS, road])
def test_the_contributions_of_a_linear_model_score_best(metric):
    model, options = linear(), {"baseline": 0.0, "verbose": 0}
    sign = 1 if metric.higher_is_better else -1
    best = metric(model, X, contributions(model), UNITS, **options)
    for seed in range(3):
        other = metric(model, X, random_maps(seed=seed), UNITS, **options)
        assert (sign * (best - other) > -1e-4).all()


def test_random_maps_score_what_theory_says():
    """Removing pixels at random takes a linear model from f(x) to f(b) evenly.

    A map and its opposite together do so exactly, as their orders are opposite.
    """
    model, maps = linear(), random_maps()
    options = {"baseline": 0.5, "verbose": 0}
    black = np.full_like(X, 0.5)
    middle = (scores_of(model, X) + scores_of(model, black)) / 2
    for metric, wanted in [
        (deletion, middle),
        (insertion, middle),
        (degradation_score, 0),
        (road, 0),
    ]:
        pair = [metric(model, X, s * maps, UNITS, **options) for s in (1, -1)]
        np.testing.assert_allclose(
            np.mean(pair, axis=0), wanted + 0 * middle, atol=1e-4
        )
    model = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Flatten()])
    model.add(keras.layers.Dense(1, kernel_initializer="ones"))
    # The same pixels everywhere: any order is as good as any other.
    scores = deletion(model, np.ones((2, 4, 4, 3)), random_maps(1)[:2], verbose=0)
    np.testing.assert_allclose(scores, 48 / 2, rtol=1e-5)


def test_a_constant_map_is_scored_as_a_random_one():
    """Its pixels are not removed row by row, nor in the same way for all seeds."""
    model, flat = linear(), np.ones((6, 4, 4, 2))
    scores = [
        deletion(model, X, flat, UNITS, seed=seed, steps=4, verbose=0)
        for seed in range(30)
    ]
    ends = scores_of(model, X), scores_of(model, 0 * X)
    error = np.std(scores, axis=0) / np.sqrt(30)
    assert (abs(np.mean(scores, axis=0) - np.mean(ends, axis=0)) < 5 * error).all()


def test_road_imputes_from_neighbours():
    """A picture of one colour stays as it is, but for the noise: nothing is lost."""
    model, plain = linear(), np.ones((6, 4, 4, 3), "float32")
    scores = road(model, plain, random_maps(), UNITS, verbose=0)
    np.testing.assert_allclose(scores, 0, atol=1e-4)
    assert (
        abs(road(model, plain, random_maps(), UNITS, baseline=0.0, verbose=0)).max()
        > 0.01
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda *data: deletion(*data, steps=0, verbose=0), "`steps` must be at least"),
        (lambda *data: road(*data, percentiles=[120], verbose=0), "from 0 to 100"),
        (lambda *data: road(*data, percentiles=[], verbose=0), "from 0 to 100"),
        (lambda *data: perturbation_curves(*data, order="x"), "`order` must be one of"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(linear(), X, random_maps(), UNITS)
