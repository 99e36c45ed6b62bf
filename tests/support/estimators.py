"""Helpers for tests of the estimators of a mean gradient."""

from functools import partial

import keras
import numpy as np
from keras import layers

import keras_explainable as ke


def pictures(count=2, size=8):
    return np.random.default_rng(3).normal(size=(count, size, size, 3)).astype("f4")


def explained(model, x, y, estimator, repetitions=8, **params):
    params = {"noise": 0.5, **params}
    return ke.explain(
        ke.methods.gradient.smooth_gradients,
        model,
        x,
        y,
        verbose=0,
        estimator=estimator,
        repetitions=repetitions,
        **params,
    )[1]


def maps_and_error(model, x, y, estimator, repetitions, seed):
    """Return maps, and the estimated norm of their error."""
    method = partial(
        ke.methods.gradient.smooth_gradients,
        estimator=estimator,
        repetitions=repetitions,
        noise=0.5,
        seed=seed,
    )
    options = {"verbose": 0, "return_stats": True, "batch_size": 512}
    _, maps, stats = ke.explain(method, model, x, y, **options)
    return maps, stats.relative_error[0, 0] * np.linalg.norm(maps)


def network(*inner, shape=(8, 8, 3)):
    flat, head = layers.Flatten(), layers.Dense(3)
    return keras.Sequential([keras.Input(shape), *inner, flat, head])


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def agrees_in_the_limit(model, estimator="slopes", within=0.08, repetitions=512):
    """Compare an estimator with many copies to the mean of many samples."""
    x = np.random.default_rng(3).normal(size=(1, *model.input_shape[1:])).astype("f4")
    found = explained(model, x, [0], estimator, repetitions, seed=1, batch_size=256)
    expected = explained(model, x, [0], "sampled", 4096, batch_size=512)
    assert distance(found, expected) < within
