"""The bundled transformer: small, accurate, and the same on every backend."""

import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from support.scripts import loaded

import keras_explainable as ke
from keras_explainable import demo
from keras_explainable.demo import samples


@pytest.fixture(scope="module")
def vit():
    return demo.load_transformer()


@pytest.fixture(scope="module")
def bundled():
    return demo.load_small_samples()


def test_the_files_are_small():
    assert demo.transformer_path().stat().st_size < 400_000
    assert samples._SMALL.stat().st_size < 30_000


def test_plain_keras_loads_it_and_logits_are_those_of_training_time(bundled):
    plain = keras.models.load_model(demo.transformer_path())
    with np.load(samples._SMALL) as file:
        reference = file["logits"]
    logits = ke.inspection.logits_model(plain).predict(bundled.images, verbose=0)
    assert np.abs(reference).max() > 3  # so that 1e-4 is a strict bound
    assert np.abs(logits - reference).max() < 1e-4


def test_keras_3_14_knows_all_options_in_the_file():
    with zipfile.ZipFile(demo.transformer_path()) as file:
        assert b"sliding_window" not in file.read("config.json")


def test_bundled_samples_are_recognised_and_have_all_digits(vit, bundled):
    predictions = vit.predict(bundled.images, verbose=0)
    np.testing.assert_array_equal(predictions.argmax(-1), bundled.labels)
    np.testing.assert_allclose(predictions.sum(-1), 1, atol=1e-5)
    assert {*bundled.labels} == {*range(10)}
    assert bundled.images.shape == (12, 32, 32, 1)
    assert bundled.images.dtype == "uint8"
    assert bundled.masks.shape == (12, 32, 32)


def test_fresh_images_of_unseen_digits_are_recognised(vit):
    fresh = demo.make_small_samples(400, seed=20_000)
    right = vit.predict(fresh.images, verbose=0).argmax(-1) == fresh.labels
    assert right.mean() >= 0.82


def test_light_pixels_are_those_of_the_masks(bundled):
    for image, mask in zip(bundled.images[..., 0], bundled.masks, strict=True):
        assert image[mask].mean() > 1.5 * image[~mask].mean()


def test_it_has_a_class_token_and_attention(vit, bundled):
    found = ke.inspection.token_grid(vit, "block_0")
    assert found == ke.inspection.token_grid(vit, "tokens")
    assert (found.axis, found.grid, found.before, found.after) == (1, (8, 8), 1, 0)
    maps = ke.attention_maps(vit, bundled.images[:1])
    assert [x.shape for x in maps.values()] == [(1, 4, 65, 65)] * 2


@pytest.mark.parametrize(
    "name", ["attention_rollout", "transformer_attribution", "attnlrp"]
)
def test_maps_show_the_digit(vit, bundled, name):
    """Positive values lie near the ink more than those of an even map."""
    images, labels, masks = bundled
    near = keras.ops.max_pool(masks[..., None].astype("f4"), 7, 1, "same")
    near = keras.ops.convert_to_numpy(near)[..., 0]
    _, maps = getattr(ke, name)(vit, images, labels, verbose=0)
    positive = np.maximum(maps[..., 0], 0)
    mass = (positive * near).sum((1, 2)) / positive.sum((1, 2))
    assert mass.mean() > 1.3 * near.mean()


@pytest.fixture(scope="module")
def script():
    return loaded("train_demo_transformer")


def test_the_script_builds_the_bundled_network(script, vit):
    built = script.build_network()
    for one, other in zip(built.layers, vit.layers, strict=True):
        assert type(one) is type(other)
    for one, other in zip(built.weights, vit.weights, strict=True):
        assert one.shape == other.shape
    assert sum(isinstance(x, layers.MultiHeadAttention) for x in vit.layers) == 2


def test_the_script_trains_on_images_like_the_samples(script):
    drawn = [script.draw_images(3, np.random.default_rng(0)) for _ in range(2)]
    np.testing.assert_array_equal(drawn[0][0], drawn[1][0])
    assert drawn[0][0].shape == (3, 32, 32, 1)
    assert drawn[0][0].dtype == "uint8"
