"""The bundled network: small, accurate, and the same on every backend."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest

import keras_explainable as ke
from keras_explainable import demo
from keras_explainable.demo import samples


@pytest.fixture(scope="module")
def network():
    return demo.load_model()


@pytest.fixture(scope="module")
def bundled():
    return demo.load_samples()


@pytest.fixture(scope="module")
def smoothed(network, bundled):
    """Maps (N, H, W, 1) by SmoothGrad."""
    choices = {"postprocessing": None, "verbose": 0}
    return ke.smoothgrad(network, bundled.images, bundled.labels, **choices)[1]


def logits(network, images):
    """Compute logits without the library under test."""
    *_, pooling, dense = network.layers
    features = keras.Model(network.inputs, pooling.output)
    kernel, bias = (keras.ops.convert_to_numpy(w) for w in dense.weights)
    return features.predict(images, verbose=0) @ kernel + bias


def test_the_file_is_smaller_than_a_megabyte():
    assert demo.model_path().stat().st_size < 1_000_000


def test_plain_keras_loads_it(network, bundled):
    plain = keras.models.load_model(demo.model_path())
    np.testing.assert_array_equal(
        plain.predict(bundled.images, verbose=0),
        network.predict(bundled.images, verbose=0),
    )


def test_images_in_probabilities_out(network, bundled):
    assert network.input_shape == (None, 96, 96, 3)
    assert network.output_shape == (None, 10)
    probabilities = network.predict(bundled.images, verbose=0)
    np.testing.assert_allclose(probabilities.sum(-1), 1, atol=1e-5)
    assert probabilities.min() >= 0


def test_it_ends_in_a_softmax(network):
    last = network.layers[-1]
    assert isinstance(last, keras.layers.Dense)
    assert last.activation is keras.activations.softmax


def test_each_convolution_is_followed_by_batch_normalisation_and_relu(network):
    kinds = [type(layer).__name__ for layer in network.layers]
    places = [i for i, kind in enumerate(kinds) if kind == "Conv2D"]
    assert len(places) >= 5
    for place in places:
        assert kinds[place + 1 : place + 3] == ["BatchNormalization", "ReLU"]


def test_no_optimiser_is_bundled(network):
    assert not network.compiled
    with zipfile.ZipFile(demo.model_path()) as file:
        stored = h5py.File(io.BytesIO(file.read("model.weights.h5")))
    assert "optimizer" not in stored


def test_every_load_is_a_new_network(network):
    assert demo.load_model() is not network


def test_logits_are_those_of_training_time(network, bundled):
    with np.load(samples._BUNDLED) as file:
        reference = file["logits"]
    assert reference.shape == (12, 10)
    assert np.abs(reference).max() > 3  # so that 1e-4 is a strict bound
    assert np.abs(logits(network, bundled.images) - reference).max() < 1e-4


def test_uint8_and_float_inputs_agree(network, bundled):
    floats = network.predict(bundled.images.astype("float32"), verbose=0)
    whole = network.predict(bundled.images, verbose=0)
    np.testing.assert_allclose(floats, whole, atol=1e-6)


def test_every_bundled_sample_is_recognised(network, bundled):
    predictions = network.predict(bundled.images, verbose=0)
    np.testing.assert_array_equal(predictions.argmax(-1), bundled.labels)


def test_fresh_scenes_of_unseen_digits_are_recognised(network):
    fresh = demo.make_samples(400, seed=20_000)
    predictions = network.predict(fresh.images, verbose=0).argmax(-1)
    assert (predictions == fresh.labels).mean() >= 0.95


def test_the_prediction_depends_on_the_digit(network, bundled):
    """Without the ink, the network fails."""
    images = bundled.images.copy()
    for image, mask in zip(images, bundled.masks, strict=True):
        image[near(mask, 2)] = image[~mask].mean(0)
    predictions = network.predict(images, verbose=0).argmax(-1)
    assert (predictions == bundled.labels).mean() < 0.5


def test_smoothgrad_highlights_the_digit(bundled, smoothed):
    close = np.stack([near(mask, 3) for mask in bundled.masks])
    mass = (smoothed[..., 0] * close).sum((1, 2)) / smoothed[..., 0].sum((1, 2))
    assert mass.mean() > 4 * close.mean()
    peaks = smoothed.reshape(len(smoothed), -1).argmax(-1)
    assert close.reshape(len(close), -1)[np.arange(len(close)), peaks].mean() > 0.8


def test_smoothgrad_is_smoother_than_the_gradient(network, bundled, smoothed):
    """Neighbouring pixels differ less, relative to the mean of the map."""
    choices = {"postprocessing": None, "verbose": 0}
    _, rough = ke.gradients(network, bundled.images, bundled.labels, **choices)
    assert roughness(smoothed) < 0.9 * roughness(rough)


def roughness(maps):
    steps = [np.abs(np.diff(maps, axis=axis)).mean((1, 2, 3)) for axis in (1, 2)]
    return np.mean(sum(steps) / maps.mean((1, 2, 3)))


def near(mask, reach):
    """All pixels at most ``reach`` pixels from the mask, including diagonals."""
    padded, size = np.pad(mask, reach), mask.shape[0]
    shifts = range(2 * reach + 1)
    return np.any(
        [padded[i : i + size, j : j + size] for i in shifts for j in shifts], 0
    )
