"""Occlusion and RISE, against brute-force computations."""

import numpy as np
import pytest
from support.small_models import SHAPE, images, linear, numpy, some_units, weights_of

from keras_explainable.methods import perturbation
from keras_explainable.methods.perturbation import occlusion, rise
from keras_explainable.sampling import noise

X, UNITS = images(), some_units()


def contributions(model):
    """Return each pixel's contribution to the units of a linear model (B, H, W, K)."""
    return (weights_of(model, UNITS) * X[..., None]).sum(axis=3)


@pytest.mark.parametrize(
    ("size", "stride", "rows", "columns"),
    [
        (1, 1, [0, 1, 2, 3], [0, 1, 2, 3]),
        (2, None, [0, 1, 2], [0, 1, 2]),
        (2, 2, [0, 2], [0, 2]),
        ((3, 2), (2, 2), [0, 1], [0, 2]),
        (9, 4, [0], [0]),
    ],
)
def test_occlusion_is_the_mean_drop(size, stride, rows, columns):
    model = linear()
    adds = contributions(model)
    height, width = size if isinstance(size, tuple) else (size, size)
    total, count = np.zeros((6, 4, 4, 2)), np.zeros((4, 4))
    for top in rows:
        for left in columns:
            window = slice(top, top + height), slice(left, left + width)
            drop = adds[:, *window].sum(axis=(1, 2))
            total[:, *window] += drop[:, None, None]
            count[window] += 1
    _, maps = occlusion(model, X, UNITS, size=size, stride=stride)
    wanted = total / count[..., None]
    np.testing.assert_allclose(numpy(maps), wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("fill", [0.5, [0.5] * 3, np.full(SHAPE, 0.5)])
def test_occlusion_with_other_fills(fill):
    model = linear()
    away = (weights_of(model, UNITS) * (X - 0.5)[..., None]).sum(axis=3)
    _, maps = occlusion(model, X, UNITS, size=1, stride=1, fill=fill)
    np.testing.assert_allclose(numpy(maps), away, rtol=1e-3, atol=1e-4)


def test_rise_is_the_mean_of_masks_weighted_by_scores():
    model, n, p = linear(), 5, 0.4
    _, maps = rise(
        model, X, UNITS, repetitions=n, cells=2, probability=p, seed=3, rows=7
    )
    image, draw = np.repeat(np.arange(6), n), np.tile(np.arange(n), 6)
    keys = noise.random_keys(3, image, draw)
    shifts = perturbation._shifts(keys)
    masks = numpy(perturbation._masks(SHAPE[:2], 2, p)(keys, *shifts))[..., None]
    scores = numpy(model(X[image] * masks))
    scores = np.take_along_axis(scores, UNITS[image], 1)[:, None, None]
    wanted = (scores * masks / p).reshape(6, n, 4, 4, 2).mean(axis=1)
    np.testing.assert_allclose(numpy(maps), wanted, rtol=1e-3, atol=1e-4)


def test_masks_are_smooth_and_shown_as_often_as_asked():
    keys = noise.random_keys(0, np.zeros(2000, int), np.arange(2000))
    make = perturbation._masks((20, 30), 4, 0.3)
    masks = numpy(make(keys, *perturbation._shifts(keys)))
    assert masks.min() == 0
    assert masks.max() == 1
    np.testing.assert_allclose(masks.mean(axis=0), 0.3, atol=0.06)
    assert np.abs(np.diff(masks, axis=1)).max() <= 4 / 20 + 1e-5
    assert np.abs(np.diff(masks, axis=2)).max() <= 4 / 30 + 1e-5


def test_everything_is_shown_with_probability_1():
    keys = noise.random_keys(0, np.zeros(3, int), np.arange(3))
    masks = perturbation._masks((5, 5), 2, 1)(keys, *perturbation._shifts(keys))
    np.testing.assert_allclose(numpy(masks), 1)


def test_rise_correlates_with_contributions():
    """The expected map of a pixel is its own contribution plus a constant."""
    model = linear()
    _, maps, stats = rise(
        model, X, UNITS, repetitions=6000, cells=4, seed=0, rows=200, return_stats=True
    )
    adds = contributions(model)
    for image, unit in np.ndindex(UNITS.shape):
        pair = (part[image, ..., unit].ravel() for part in (numpy(maps), adds))
        assert np.corrcoef(*pair)[0, 1] > 0.5
    assert (stats.repetitions == 6000).all()


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        (occlusion, {"size": 0}, ValueError, "`size` must be at least 1"),
        (occlusion, {"size": (1, 2, 3)}, ValueError, "`size` must be a number, or 2"),
        (occlusion, {"stride": 0.5}, TypeError, "`stride` must be an integer"),
        (occlusion, {"size": 1, "stride": 2}, ValueError, "`stride` must be at most"),
        (occlusion, {"fill": [1, 2]}, ValueError, "`fill` must be a number, one for"),
        (rise, {"cells": 0}, ValueError, "`cells` must be at least 1"),
        (rise, {"probability": 0}, ValueError, "`probability` must be above 0"),
        (rise, {"probability": 2}, ValueError, "at most 1; received 2"),
        (rise, {"repetitions": 0}, ValueError, "`repetitions` must be at least 1"),
    ],
)
def test_errors(method, options, error, message):
    with pytest.raises(error, match=message):
        method(linear(), X, UNITS, **options)
