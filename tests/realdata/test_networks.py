"""Networks trained on ImageNet, on labelled photos."""

import numpy as np
import pytest
from support import real_networks

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.meta import smooth

PHOTOS = 6


@pytest.fixture(scope="module")
def build_model(shared):
    return real_networks.build_model(shared)


@pytest.fixture(scope="module")
def labels(shared):
    """Rows of photos that all networks classify correctly, smallest boxes first."""
    rows = real_networks.labels(shared)
    return sorted(rows, key=lambda row: float(row["box_fraction"]))[:PHOTOS]


@pytest.fixture(scope="module", params=real_networks.NETWORKS)
def case(request, shared, build_model, labels):
    """A model, its inputs, the classes of the photos, and masks of their objects."""
    network = request.param
    x, classes = real_networks.photos(shared, network, labels)
    masks = np.stack([real_networks.mask(shared, network, row) for row in labels])
    return build_model.build(network), x, classes, masks


def test_the_right_class_is_predicted_and_explained(case):
    model, x, classes, _ = case
    logits, maps = ke.gradients(model, x, classes, verbose=0)
    outputs = model.predict(x, verbose=0)
    assert (outputs.argmax(axis=1) == classes).all()
    np.testing.assert_allclose(logits[:, 0], outputs.max(axis=1), rtol=1e-4, atol=1e-4)
    assert maps.shape == (*x.shape[:3], 1)


def test_smoothgrad_finds_the_object(case):
    """In each photo, more of the map lies in the boxes than by chance."""
    model, x, classes, masks = case
    _, maps = ke.smoothgrad(
        model, x, classes, repetitions=12, noise_level=0.1, verbose=0, batch_size=12
    )
    maps = maps[..., 0]
    inside = (maps * masks).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))
    gain = inside / masks.mean(axis=(1, 2))
    assert np.median(gain) > 1.4, gain
    assert (gain > 1.0).mean() > 0.8, gain


def test_smoothgrad_is_smoother_than_the_gradient(case):
    """Neighbouring pixels differ less."""
    model, x, classes, _ = case
    roughness = []
    for method in (gradients, smooth(gradients, 12, noise_level=0.1, seed=0)):
        _, maps = ke.explain(method, model, x, classes, verbose=0, batch_size=12)
        steps = np.abs(np.diff(maps, axis=1)).mean(axis=(1, 2, 3))
        roughness.append(steps / maps.mean(axis=(1, 2, 3)))
    assert (roughness[1] < 0.8 * roughness[0]).all(), roughness


def test_a_stock_application_with_the_same_weights(shared, build_model, labels):
    """`keras.applications` has separate layers for padding and dropout."""
    ours, stock = build_model.build(), build_model.keras_applications_mobilenet()
    x, units = real_networks.photos(shared, "mobilenet_075", labels[:2])
    for one, other in zip(
        ke.explain(SIGNED_GRADIENTS, stock, x, units, verbose=0),
        ke.explain(SIGNED_GRADIENTS, ours, x, units, verbose=0),
        strict=True,
    ):
        assert np.abs(one - other).mean() < 1e-4 * np.abs(other).max()


def test_logits_agree_with_reference(shared, case):
    """They agree with an independent implementation in float64."""
    model, _, _, _ = case
    with np.load(shared / "realdata" / "reference_logits.npz") as reference:
        names = [str(name) for name in reference["files"]][:PHOTOS]
        expected = reference[model.name][:PHOTOS]
    x, units = real_networks.inputs(shared, model.name, names), expected.argmax(axis=1)
    # As many photos as above, by the method that is compiled for them.
    logits, _ = ke.explain(gradients, model, x, units, verbose=0)
    np.testing.assert_allclose(logits[:, 0], expected.max(axis=1), rtol=1e-3, atol=2e-3)
