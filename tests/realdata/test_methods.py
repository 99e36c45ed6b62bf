"""Properties of the methods on networks trained on ImageNet."""

from functools import partial

import keras
import numpy as np
import pytest
from support import real_networks
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods import cams, gradient, perturbation

PHOTOS = 2
SLOW = keras.backend.backend() == "jax"  # Its tests compile with few optimisations.
METHODS = {
    "cam": cams.cam,
    "gradcam": cams.gradcam,
    "gradcampp": cams.gradcampp,
    "hirescam": cams.hirescam,
    "layercam": cams.layercam,
    "full_gradients": gradient.full_gradients,
    "occlusion": partial(perturbation.occlusion, size=75, stride=38),
}


def built(shared, network, side=None):
    """Return a network, photos that it classifies correctly, and their classes."""
    rows = real_networks.labels(shared)[:PHOTOS]
    model = real_networks.build_model(shared).build(network, side=side)
    x, classes = real_networks.photos(shared, network, rows)
    return model, x[:, :side, :side], classes


@pytest.fixture(scope="module", params=real_networks.NETWORKS)
def case(request, shared):
    return built(shared, request.param)


@pytest.fixture(scope="module")
def mobilenet(shared):
    return built(shared, "mobilenet_075")


def explained(method, model, x, y, **params):
    """Return the logits (N,) and maps (N, ...) of one unit of each photo."""
    logits, maps = ke.explain(method, model, x, y, verbose=0, **params)
    return logits[:, 0], maps[..., 0]


def test_full_gradients_add_up_to_the_output(case):
    """In MobileNet, this includes the biases of ReLU6 above its maximum."""
    logits, maps = explained(gradient.full_gradients, *case, psi=None)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), logits, rtol=1e-3)


@pytest.mark.parametrize(
    ("network", "side", "rule", "n_steps", "rtol"),
    [
        ("squeezenet11", 99, "gauss-legendre", 512, 1e-3),
        # With tens of thousands of ReLU6, the error falls as one over the points.
        ("mobilenet_025", 128, "middle", *((1024, 1e-2) if SLOW else (4096, 1e-3))),
    ],
)
def test_integrated_gradients_add_up_to_the_difference(
    shared, network, side, rule, n_steps, rtol
):
    options = {"rule": rule, "n_steps": n_steps}
    model, x, y = built(shared, network, side)
    x, y = x[:1], y[:1]
    logits, maps = explained(gradient.integrated_gradients, model, x, y, **options)
    nothing = numpy(model(np.zeros_like(x), training=False))[0, y]
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), logits - nothing, rtol=rtol)


def test_too_few_points_give_a_warning(mobilenet):
    model, x, y = mobilenet
    with pytest.warns(UserWarning, match=r"do not add up.*Increase `n_steps`"):
        logits, maps = ke.integrated_gradients(
            model, x, y, n_steps=2, postprocessing=None, verbose=0
        )
    gap = gradient.completeness_gap(model, x, y, maps)
    nothing = numpy(model(np.zeros_like(x)))[range(PHOTOS), y]
    expected = maps.sum(axis=(1, 2)) - logits + nothing[:, None]
    np.testing.assert_allclose(numpy(gap), expected, rtol=1e-3, atol=1e-2)
    assert np.abs(gap).max() > 1


def test_maps_of_a_linear_head(mobilenet):
    """Grad-CAM and HiResCAM equal the CAM, divided by the number of positions."""
    _, cam = explained(cams.cam, *mobilenet, resizing=None)
    assert cam.shape == (PHOTOS, 7, 7)
    for method in (cams.gradcam, cams.hirescam):
        _, maps = explained(method, *mobilenet, resizing=None)
        np.testing.assert_allclose(
            maps * 49, cam, rtol=1e-4, atol=1e-4 * np.abs(cam).max()
        )


def test_a_cam_and_the_bias_add_up_to_the_output(mobilenet):
    model, *_ = mobilenet
    logits, cam = explained(cams.cam, *mobilenet, resizing=None)
    bias = numpy(ke.inspection.get_logits_layer(model).bias)
    expected = cam.mean(axis=(1, 2)) + bias[mobilenet[2]]
    np.testing.assert_allclose(logits, expected, rtol=1e-3)


@pytest.fixture(scope="module")
def small_objects(shared):
    """A network, photos of small objects, their classes and masks of the objects."""
    network = "squeezenet11"
    rows = real_networks.labels(shared)
    rows = sorted(rows, key=lambda row: float(row["box_fraction"]))[:4]
    masks = np.stack([real_networks.mask(shared, network, row) for row in rows])
    model = real_networks.build_model(shared).build(network)
    return model, *real_networks.photos(shared, network, rows), masks


@pytest.mark.parametrize("name", METHODS)
def test_methods_find_the_object(small_objects, name):
    """More of the evidence for the class lies in the boxes than by chance."""
    *case, masks = small_objects
    postprocessing = ke.filters.positive_normalize
    _, maps = explained(METHODS[name], *case, postprocessing=postprocessing)
    inside = (maps * masks).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))
    gain = inside / masks.mean(axis=(1, 2))
    assert np.median(gain) > 1.4, gain
