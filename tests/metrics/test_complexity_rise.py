"""How much more complex maps are with random weights."""

import numpy as np
import pytest
from keras import ops
from scipy.stats import entropy
from support.small_models import network, numpy

import keras_explainable as ke
from keras_explainable.evaluation.controls import CONTROLS
from keras_explainable.methods.gradient import gradients
from keras_explainable.metrics import complexity_rise, efficient_mprt, randomization

IMAGES = np.random.default_rng(0).normal(size=(3, 12, 12, 3)).astype("float32")
LABELS = np.array([[0, 1], [2, 3], [4, 0]])


def test_a_map_of_the_input_alone_scores_0():
    edges = CONTROLS["edges"]
    scores = efficient_mprt(edges, network(), IMAGES, LABELS, verbose=0)
    np.testing.assert_array_equal(scores, 0)


def test_scores_are_rises_of_the_entropy(monkeypatch):
    model, copies, copied = network(), [], randomization.copied
    before = [numpy(x).copy() for x in model.weights]

    def recorded(*args, **params):
        copies.append(copied(*args, **params))
        return copies[-1]

    monkeypatch.setattr(complexity_rise, "copied", recorded)
    found = efficient_mprt(gradients, model, IMAGES, LABELS, bins=7, verbose=0)

    def complexity(of):
        maps = ke.explain(gradients, of, IMAGES, LABELS, verbose=0)[1]
        each = np.moveaxis(maps, -1, 1).reshape(6, -1).astype("float64")
        counts = [np.histogram(values, 7)[0] for values in each]
        return np.reshape([entropy(x) for x in counts], (3, 2))

    old, new = complexity(model), complexity(copies[0])
    np.testing.assert_allclose(found, (new - old) / old, atol=1e-6)
    assert (abs(found) > 1e-3).all()
    for weight, values in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(numpy(weight), values)


def test_constant_maps_have_no_score():
    def constant(model, inputs, indices=None, *, rows=1):
        return ops.zeros((len(inputs), 1)), ops.ones_like(inputs[..., :1])

    scores = efficient_mprt(constant, network(), IMAGES, LABELS[:, :1], verbose=0)
    assert np.isnan(scores).all()


def test_bins_are_at_least_two():
    with pytest.raises(ValueError, match="`bins` must be at least 2"):
        efficient_mprt(gradients, network(), IMAGES, LABELS, bins=1)
