"""The same scores as Quantus and pytorch-grad-cam, given the same maps and draws."""

import importlib

import keras
import numpy as np
import pytest
import torch
from keras import layers, ops

from keras_explainable import metrics
from keras_explainable.methods.gradient import gradients
from keras_explainable.metrics import replacement
from keras_explainable.metrics.random_draws import SUBSETS, generator

MAPS = np.random.default_rng(1).normal(size=(3, 10, 12))
MASKS = np.zeros(MAPS.shape, bool)
MASKS[:, 2:8, 3:9] = True
RAW = {"normalise": False, "disable_warnings": True}


@pytest.fixture
def quantus(torchvision):
    return importlib.import_module("quantus")


@pytest.fixture(scope="module")
def grey():
    """A network of one channel: Quantus replaces values, and here they are pixels."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((10, 12, 1))
    x = layers.Conv2D(8, 3, activation="relu")(inputs)
    return keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))


class ChannelsFirst(torch.nn.Module):
    """A Keras model as Quantus and pytorch-grad-cam call it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x.permute(0, 2, 3, 1))


def first(images):
    return np.moveaxis(images, -1, 1).copy()


def scored(metric, model, images, units, maps=MAPS, masks=None):
    """Return the scores that a metric of Quantus gives, from logits."""
    return metric(
        model=ChannelsFirst(model).eval(),
        x_batch=first(images),
        y_batch=units,
        a_batch=maps[:, None].copy(),
        s_batch=None if masks is None else masks[:, None],
        softmax=False,
        device="cpu",
    )


def assert_same(found, expected):
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-5, atol=1e-5)


def test_pixel_flipping(quantus, grey, images, units):
    """Its curve has no point before the first step."""
    x, steps = images[..., :1], 24
    flipping = quantus.PixelFlipping(features_in_step=5, perturb_baseline=0.3, **RAW)
    expected = scored(flipping, grey, x, units)
    options = {"steps": steps, "baseline": 0.3, "logits": True, "verbose": 0}
    curves = metrics.perturbation_curves(grey, x, MAPS[..., None], units, **options)
    assert_same(curves.scores[:, 1:, 0], expected)
    found = metrics.pixel_flipping(grey, x, MAPS[..., None], units, **options)
    clean = np.take_along_axis(ops.convert_to_numpy(grey(x)), units[:, None], 1)
    drops = (clean - expected).sum(axis=1) / (steps + 1)
    assert_same(found[:, 0], drops)


def test_faithfulness_correlation(quantus, grey, images, units, monkeypatch):
    draws, size, x = 12, 30, images[..., :1]
    sets = iter(
        [
            generator(SUBSETS, 0, image, draw).choice(120, size, False, shuffle=False)
            for draw in range(draws)
            for image in range(3)
        ]
    )
    options = {"nr_runs": draws, "subset_size": size, "perturb_baseline": 0.3}
    correlation = quantus.FaithfulnessCorrelation(
        **options, return_aggregate=False, **RAW
    )
    with monkeypatch.context() as patch:
        patch.setattr(np.random, "choice", lambda *args, **kwargs: next(sets))
        expected = scored(correlation, grey, x, units)
    options = {"draws": draws, "size": size, "baseline": 0.3, "verbose": 0}
    found = metrics.faithfulness_correlation(grey, x, MAPS[..., None], units, **options)
    assert_same(found[:, 0], expected)


def test_localisation(quantus, grey, images, units):
    """Of maps without equal or negative values."""
    maps = abs(MAPS)
    for theirs, ours in (
        (quantus.PointingGame, metrics.pointing_game),
        (quantus.RelevanceMassAccuracy, metrics.relevance_mass_accuracy),
        (quantus.RelevanceRankAccuracy, metrics.relevance_rank_accuracy),
        (quantus.AUC, metrics.auc),
    ):
        expected = scored(theirs(**RAW), grey, images[..., :1], units, maps, MASKS)
        assert_same(ours(maps[..., None], MASKS)[:, 0], expected)


def test_complexity(quantus, grey, images, units):
    for theirs, ours in (
        (quantus.Sparseness, metrics.sparseness),
        (quantus.Complexity, metrics.complexity),
        (quantus.EffectiveComplexity, metrics.effective_complexity),
    ):
        expected = scored(theirs(abs=True, **RAW), grey, images[..., :1], units)
        if (
            ours is metrics.effective_complexity
        ):  # A number of pixels, by our threshold.
            expected = np.array(expected) / 120
        assert_same(ours(MAPS[..., None])[:, 0], expected)


def test_road(torchvision, model, images, units, monkeypatch):
    """Without the noise, which it draws in units of the input."""
    road = importlib.import_module("pytorch_grad_cam.metrics.road")
    monkeypatch.setattr(torch, "randn_like", torch.zeros_like)
    monkeypatch.setattr(replacement, "NOISE_LEVEL", 0)
    percentiles = [20, 40, 60, 80]
    targets = [lambda output, unit=unit: output[unit] for unit in units]
    maps = MAPS.astype("float32")
    network = ChannelsFirst(model)
    x = torch.from_numpy(first(images))
    expected = road.ROADCombined(percentiles)(x, maps, targets, network)
    options = {"percentiles": percentiles, "logits": True, "verbose": 0}
    found = metrics.road(model, images, maps[..., None], units, **options)
    assert_same(found[:, 0], expected)


def test_efficient_mprt(quantus, model, images, units):
    """The same formula of the same maps: random weights are drawn in another way."""
    entropy = importlib.import_module("quantus.functions.complexity_func")
    seen = []

    def method(network, inputs, indices):
        logits, maps = gradients(network, inputs, indices)
        seen.append(ops.convert_to_numpy(maps))
        return logits, maps

    found = metrics.efficient_mprt(method, model, images, units, bins=20, verbose=0)
    before, after = (
        np.array([entropy.discrete_entropy(each, each, n_bins=20) for each in maps])
        for maps in (seen[0][..., 0], seen[-1][..., 0])
    )
    assert_same(found[:, 0], (after - before) / before)
