"""Linear models and the attributions of their pixels, whose scores are known."""

import numpy as np

from support.small_models import images, linear, numpy, some_units, weights_of

X, UNITS = images(), some_units()


def contributions(model, baseline=0.0):
    """Return each pixel's share of f(x) - f(baseline), (N, H, W, K)."""
    return (weights_of(model, UNITS) * (X - baseline)[..., None]).sum(axis=3)


def scores_of(model, x):
    """Return the scores of the units (N, K)."""
    return np.take_along_axis(numpy(model(x)), UNITS, axis=1)


def random_maps(k=2, seed=0):
    return np.random.default_rng(seed).normal(size=(*X.shape[:3], k))


__all__ = ["UNITS", "X", "contributions", "linear", "random_maps", "scores_of"]
