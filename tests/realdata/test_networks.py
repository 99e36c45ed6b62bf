"""Real networks trained on ImageNet, on labelled photos."""

import csv
import importlib
import sys

import numpy as np
import pytest
from small_models import numpy

import keras_explainable as ke
from keras_explainable.engine.shortcuts import SIGNED_GRADIENTS
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

NETWORKS = ["mobilenet_075", "squeezenet11"]


@pytest.fixture(scope="module")
def realdata(shared):
    return shared / "realdata"


@pytest.fixture(scope="module")
def build_model(realdata):
    sys.path.insert(0, str(realdata))
    yield importlib.import_module("build_model")
    sys.path.remove(str(realdata))


@pytest.fixture(scope="module")
def labels(realdata):
    """Labels that all networks rank first, the smallest boxes first."""
    with (realdata / "labels.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ranks = [f"{network}_rank" for network in NETWORKS]
    right = [row for row in rows if all(row[rank] == "1" for rank in ranks)]
    return sorted(right, key=lambda row: float(row["box_fraction"]))[:6]


@pytest.fixture(scope="module", params=NETWORKS)
def case(request, build_model, realdata, labels):
    """Model, its inputs, the classes of the photos, and where they are."""
    network = request.param
    paths = [realdata / "photos" / row["file"] for row in labels]
    rgb = np.stack([build_model.load_rgb(path, network) for path in paths])
    x = build_model.preprocess(rgb, network)
    classes = np.array([int(row["class_index"]) for row in labels])
    masks = np.stack([_mask(build_model, network, row) for row in labels])
    return build_model.build(network), x, classes, masks


def _mask(build_model, network, row):
    corners = [[int(n) for n in box.split()] for box in row["boxes"].split(";")]
    size = int(row["width"]), int(row["height"])
    side = build_model.NETWORKS[network][1]
    mask = np.zeros((side, side), bool)
    for left, top, right, bottom in build_model.map_boxes(corners, size, network):
        mask[round(top) : round(bottom), round(left) : round(right)] = True
    return mask


def test_the_right_class_is_predicted_and_explained(case):
    model, x, classes, _ = case
    logits, maps = ke.gradients(model, x, classes, verbose=0)
    outputs = model.predict(x, verbose=0)
    assert (outputs.argmax(axis=1) == classes).all()
    np.testing.assert_allclose(logits[:, 0], outputs.max(axis=1), rtol=1e-4, atol=1e-4)
    assert maps.shape == (*x.shape[:3], 1)


def test_smoothgrad_finds_the_object(case):
    """More of the map lies in the boxes than chance has it, photo by photo."""
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
    """Neighbouring pixels agree more: what smoothing is for."""
    model, x, classes, _ = case
    roughness = []
    for method in (gradients, smooth(gradients, 12, noise_level=0.1, seed=0)):
        _, maps = ke.explain(method, model, x, classes, verbose=0, batch_size=12)
        steps = np.abs(np.diff(maps, axis=1)).mean(axis=(1, 2, 3))
        roughness.append(steps / maps.mean(axis=(1, 2, 3)))
    assert (roughness[1] < 0.8 * roughness[0]).all(), roughness


def test_a_stock_application_with_the_same_weights(build_model, realdata, labels):
    """`keras.applications` pads and drops out in layers of their own."""
    ours, stock = build_model.build(), build_model.keras_applications_mobilenet()
    paths = [realdata / "photos" / row["file"] for row in labels[:2]]
    rgb = np.stack([build_model.load_rgb(path) for path in paths])
    x, units = build_model.preprocess(rgb, NETWORKS[0]), [int(labels[0]["class_index"])]
    for one, other in zip(
        ke.explain(SIGNED_GRADIENTS, stock, x, units * 2, verbose=0),
        ke.explain(SIGNED_GRADIENTS, ours, x, units * 2, verbose=0),
        strict=True,
    ):
        assert np.abs(one - other).mean() < 1e-4 * np.abs(other).max()


def test_reference_logits(build_model, realdata, case):
    """Against an independent implementation in float64."""
    model, _, _, _ = case
    with np.load(realdata / "reference_logits.npz") as reference:
        names = [str(name) for name in reference["files"]][:4]
        expected = reference[model.name][:4]
    paths = [realdata / "photos" / name for name in names]
    rgb = np.stack([build_model.load_rgb(path, model.name) for path in paths])
    x, units = build_model.preprocess(rgb, model.name), expected.argmax(axis=1)
    logits, _ = gradients(model, x, units)
    np.testing.assert_allclose(
        numpy(logits)[:, 0], expected.max(axis=1), rtol=1e-3, atol=2e-3
    )
