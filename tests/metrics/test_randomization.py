"""Maps that do not depend on weights or units are found; the model stays as it is."""

import random
from functools import partial
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.attributions import UNITS, X, linear
from support.small_models import network, numpy

import keras_explainable as ke
from keras_explainable.evaluation.controls import CONTROLS
from keras_explainable.methods.gradient import gradients
from keras_explainable.metrics import (
    efficient_mprt,
    mprt,
    random_logit,
    randomization,
)

IMAGES = np.random.default_rng(0).normal(size=(3, 12, 12, 3)).astype("float32")
LABELS = np.array([[0, 1], [2, 3], [4, 0]])
ORDERS = ("cascading", "independent", "all")

SIGNED = partial(gradients, gradient_filter=None)


@pytest.mark.parametrize("order", ORDERS)
def test_a_map_of_the_input_alone_scores_1(order):
    edges = CONTROLS["edges"]
    scores = mprt(edges, network(), IMAGES, LABELS, order=order, verbose=0)
    np.testing.assert_allclose(scores, 1)
    scores = random_logit(edges, network(), IMAGES, LABELS, verbose=0)
    np.testing.assert_allclose(scores, 1)


def test_shuffled_weights_of_a_linear_model_have_nothing_in_common():
    """Its maps are its weights: their ranks correlate by chance only, 1 / sqrt(P)."""
    inputs = keras.Input((16, 16, 1))
    model = keras.Model(inputs, layers.Dense(40)(layers.Flatten()(inputs)))
    x = np.ones((1, 16, 16, 1), "float32")
    for metric in (partial(mprt, order="all"), random_logit):
        scores = metric(SIGNED, model, x, verbose=0)
        assert scores.shape == (1, 40)
        assert abs(scores.mean()) < 4 / 16 / np.sqrt(40)
        assert 0.5 < scores.std() * 16 < 2


@pytest.mark.parametrize("order", ORDERS)
def test_weights_are_shuffled_layer_by_layer(monkeypatch, order):
    """The last layer first; statistics and the model itself stay as they are."""
    model, seen, copies = network(), [], []
    before = [numpy(x).copy() for x in model.weights]
    copied = randomization.copied
    monkeypatch.setattr(
        randomization,
        "copied",
        lambda *a, **b: copies.append(copied(*a, **b)) or copies[0],
    )

    def method(_, inputs, indices, *, rows=1):
        seen.append([numpy(x).copy() for x in copies[0].weights])
        maps = ops.repeat(inputs[..., :1], indices.shape[1], axis=-1)
        return ops.zeros(indices.shape), maps

    scores = mprt(method, model, IMAGES, LABELS, order=order, verbose=0)
    np.testing.assert_allclose(scores, 1)
    # Convolution, batch normalisation (its statistics, too), convolution, output layer.
    layers_of = [0, 1, 1, None, None, 2, 2, 3, 3]
    for step, weights in enumerate(seen):
        known = {"cascading": range(4 - step, 4), "independent": [4 - step]}
        shuffled = known.get(order, range(4)) if step else []
        for layer, one, old in zip(layers_of, weights, before, strict=True):
            np.testing.assert_allclose(np.sort(one, None), np.sort(old, None))
            assert (one != old).any() == (layer in shuffled)
    assert len(seen) == (2 if order == "all" else 5)
    for weight, values in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(numpy(weight), values)


def nested():
    inner = network("softmax")
    model = keras.Sequential([keras.Input((12, 12, 3)), layers.ReLU(), inner])
    model.compile("adam", "mse")
    return model


def reused():
    """A part that is also the end of another model, of inputs of another name."""
    model = keras.Sequential([keras.Input((12, 12, 3)), network("softmax")])
    inputs = keras.Input((12, 12, 3), name="other")
    keras.Model(inputs, model(layers.ReLU()(inputs)))
    return model


@pytest.mark.parametrize("make", [network, nested, reused])
def test_the_copy_has_the_maps_of_the_model(monkeypatch, make):
    """Until its weights are shuffled."""
    unchanged = SimpleNamespace(permutation=lambda values: values)
    monkeypatch.setattr(randomization, "generator", lambda *args: unchanged)
    scores = mprt(SIGNED, make(), IMAGES, LABELS, order="all", verbose=0)
    np.testing.assert_allclose(scores, 1, atol=1e-4)


def test_draws_are_those_of_the_seed():
    model = linear()
    call = partial(mprt, SIGNED, model, X, UNITS, order="all", verbose=0)
    one, two, other = call(), call(), call(seed=1)
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()
    whole = random_logit(SIGNED, model, X, UNITS, verbose=0)
    part = random_logit(SIGNED, model, X[2:], UNITS[2:], ids=range(2, 6), verbose=0)
    np.testing.assert_allclose(part, whole[2:], atol=1e-6)


def test_layers_that_are_built_afterwards_have_the_same_weights():
    """Keras draws their seeds from Python's random state."""
    model, state = network(), random.getstate()
    for metric in (mprt, efficient_mprt):
        metric(gradients, model, IMAGES, LABELS, verbose=0)
        assert random.getstate() == state


def test_methods_that_draw_are_given_the_seed():
    model = linear(power=2)
    few = {"repetitions": 2, "postprocessing": None}
    calls = [
        partial(ke.smoothgrad, seed=3, **few),
        partial(ke.smoothgrad, **few),
    ]
    bound, given = (
        mprt(call, model, X, UNITS, order="all", seed=3, verbose=0) for call in calls
    )
    np.testing.assert_array_equal(bound, given)


def test_an_evaluation_takes_them():
    found = ke.evaluate(
        {"signed": SIGNED, "maps": np.ones((*X.shape[:3], 2))}, linear(), X, UNITS,
        ["mprt", "random_logit"], controls=False, verbose=0,
    )  # fmt: skip
    assert found.images.tolist() == [[6, 6], [0, 0]]
    assert (found.monte_carlo_error[0] > 0).all()


def test_errors():
    call = partial(mprt, SIGNED, verbose=0)
    with pytest.raises(ValueError, match="`order` must be one of"):
        call(linear(), X, UNITS, order="forward")
    with pytest.raises(ValueError, match="`model` must be one that"):
        call(lambda x, training=False: x[:, 0, 0], X, [[0]] * 6)
    inputs = keras.Input((4, 4, 3))
    pooled = keras.Model(inputs, layers.GlobalAveragePooling2D()(inputs))
    with pytest.raises(ValueError, match="`model` must have weights"):
        call(pooled, X, UNITS % 3)
    with pytest.raises(ValueError, match="`y` must be units or None"):
        random_logit(SIGNED, linear(), X, ke.targets.units(1), verbose=0)
    one = keras.Model(inputs, layers.Dense(1)(layers.Flatten()(inputs)))
    with pytest.raises(ValueError, match="at least two units; received 1"):
        random_logit(SIGNED, one, X, verbose=0)


def test_weights_of_other_outputs_do_not_count():
    inputs = keras.Input((6, 6, 1))
    flat = layers.Flatten()(layers.Conv2D(2, 3, activation="tanh")(inputs))
    heads = [layers.Dense(3)(flat), layers.Dense(3)(flat)]
    one, two = keras.Model(inputs, heads[0]), keras.Model(inputs, heads)
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 1)).astype("float32")
    for order in ORDERS:
        found, expected = (
            mprt(SIGNED, model, x, [0, 1], order=order, verbose=0)
            for model in (two, one)
        )
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_steps_with_constant_maps_are_left_out(monkeypatch):
    steps = iter([0.5, np.nan, 0.1, np.nan])
    monkeypatch.setattr(
        randomization, "correlation", lambda a, b: np.full((3, 1), next(steps))
    )
    scores = mprt(SIGNED, network(), IMAGES, [0, 1, 2], verbose=0)
    np.testing.assert_allclose(scores, 0.3)


@pytest.mark.parametrize("y", [[0, 1], 3, np.zeros((3, 2, 1), int)])
def test_units_belong_to_the_images(y):
    with pytest.raises(ValueError, match="of each of the 3 inputs; received shape"):
        random_logit(SIGNED, network(), IMAGES, y, verbose=0)
