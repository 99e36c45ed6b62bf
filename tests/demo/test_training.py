"""The training script: its measurements, and that it trains the bundled network."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from support.scripts import TOOLS, loaded

from keras_explainable import demo

SCRIPT = TOOLS / "train_demo.py"


@pytest.fixture(scope="module")
def script():
    return loaded("train_demo")


def test_it_builds_the_bundled_network(script):
    bundled, built = demo.load_model(), script.build_network()
    assert built.count_params() == bundled.count_params()
    for one, other in zip(built.layers, bundled.layers, strict=True):
        assert type(one) is type(other)
    for one, other in zip(built.weights, bundled.weights, strict=True):
        assert one.shape == other.shape


def test_bundled_samples_are_the_selected_ones(script):
    series = demo.make_samples(max(script.SELECTED) + 1, seed=script.SAMPLE_SEED)
    bundled = demo.load_samples()
    picked = list(script.SELECTED)
    np.testing.assert_array_equal(series.labels[picked], bundled.labels)
    differences = series.images[picked].astype(int) - bundled.images
    assert np.abs(differences).mean() < 0.1  # rounding may differ between machines
    assert (series.masks[picked] == bundled.masks).mean() > 0.999


def test_batches_depend_on_their_number_and_the_seed_only(script, monkeypatch):
    monkeypatch.setattr(script, "BATCH", 2)
    scenes = script.NoisyScenes(steps=5, seed=0)
    assert len(scenes) == 5
    again, other = script.NoisyScenes(9, seed=0), script.NoisyScenes(5, seed=1)
    np.testing.assert_array_equal(scenes[3][0], again[3][0])
    assert np.abs(scenes[3][0] - scenes[2][0]).max() > 1
    assert np.abs(scenes[3][0] - other[3][0]).max() > 1


def test_batches_are_training_scenes_with_noise(script, monkeypatch):
    monkeypatch.setattr(script, "BATCH", 3)
    images, labels = script.NoisyScenes(steps=1, seed=2)[0]
    plain = demo.make_samples(3, seed=2_000_000, held_out=False)
    np.testing.assert_array_equal(labels, plain.labels)
    noise = (images - plain.images).reshape(3, -1)
    assert images.dtype == np.float32
    assert (noise.std(1) <= 1.02 * script.STRONGEST_NOISE).all()
    assert len(set(noise.std(1).round(3))) == 3  # each with its own sigma
    assert np.abs(noise.mean(1)).max() < 2


def test_focus_of_an_even_map_is_the_area(script):
    masks = demo.load_samples().masks
    mass, area = script.focus(np.ones(masks.shape, "float32"), masks)
    np.testing.assert_allclose(mass, area, rtol=1e-5)
    assert (area > masks.mean((1, 2))).all()  # near the ink is a larger area than on it


def test_focus_of_a_map_on_the_ink_is_one_and_elsewhere_zero(script):
    masks = np.zeros((1, 20, 20), bool)
    masks[0, 5:8, 5:8] = True
    maps = masks.astype("float32")
    assert script.focus(maps, masks).mass == pytest.approx(1)
    assert script.focus(np.roll(maps, 8, axis=2), masks).mass == pytest.approx(0)
    assert script.focus(maps, masks).area == pytest.approx(9 * 9 / 400)


def test_softmax_of_the_logits_equals_the_probabilities(script):
    network, images = demo.load_model(), demo.load_samples().images
    logits = script.logits(network, images)
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    probabilities = network.predict(images, verbose=0)
    np.testing.assert_allclose(
        powers / powers.sum(-1, keepdims=True), probabilities, atol=1e-5
    )


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow",
    reason="the network is trained on TensorFlow",
)
def test_two_trainings_of_one_seed_agree(script, monkeypatch):
    monkeypatch.setattr(script, "BATCH", 2)
    first, second = (script.train(steps=2, rate=1e-3, seed=4) for _ in range(2))
    for one, other in zip(first.weights, second.weights, strict=True):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(one),
            keras.ops.convert_to_numpy(other),
            atol=1e-4,
        )


def test_help():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--help"], capture_output=True, text=True, check=True
    )
    assert "from scratch" in done.stdout
    for option in ("--out", "--steps", "--rate", "--seed", "--test"):
        assert option in done.stdout
