"""The same maps as Captum and zennit, given the same noise."""

from functools import partial

import keras
import numpy as np
import pytest
import torch
from captum import attr
from support.peer_noise import REPETITIONS, SEED

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

SIGNED = partial(gradients, gradient_filter=None, channel_reduction=None)


@pytest.fixture
def zennit(torchvision):
    """The package's attributions."""
    from zennit import attribution

    return attribution


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize(
    ("kind", "statistic", "scale"),
    [
        ("smoothgrad", "mean", 1),
        ("smoothgrad_sq", "square", 1),
        ("vargrad", "variance", (REPETITIONS - 1) / REPETITIONS),  # Captum has 1 / n.
    ],
)
def test_captum(model, images, units, noises, drawn, kind, statistic, scale, absolute):
    noise = noises(noise=0.5).swapaxes(0, 1).reshape(-1, *images.shape[1:])
    drawn(torch, "normal", [torch.tensor(noise)])
    saliency = attr.Saliency(lambda x: model(x, training=False))
    expected = attr.NoiseTunnel(saliency).attribute(
        torch.tensor(images),
        nt_type=kind,
        nt_samples=REPETITIONS,
        stdevs=0.5,
        target=torch.tensor(units),
        abs=absolute,
    )
    options = {} if absolute else {"gradient_filter": None}
    method = smooth(
        partial(gradients, channel_reduction=None, **options),
        REPETITIONS,
        0.5,
        seed=SEED,
        statistic=statistic,
    )
    _, maps = ke.explain(method, model, images, units, verbose=0)
    expected = expected.detach().numpy()
    allowed = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(maps[..., 0] * scale, expected, rtol=1e-5, atol=allowed)


def test_zennit(model, images, units, noises, drawn, zennit):
    """Its last copy is clean."""
    noise = noises(noise=1.0)
    drawn(torch, "randn_like", [torch.tensor(part) for part in noise])
    attributor = zennit.SmoothGrad(
        partial(model, training=False), noise_level=0.2, n_iter=REPETITIONS + 1
    )
    chosen = torch.eye(5)[torch.tensor(units)]
    _, expected = attributor(torch.tensor(images), chosen)
    method = smooth(SIGNED, REPETITIONS, noise_level=0.2, seed=SEED)
    noisy, clean = (
        ke.explain(each, model, images, units, verbose=0)[1][..., 0]
        for each in (method, SIGNED)
    )
    maps = (REPETITIONS * noisy + clean) / (REPETITIONS + 1)
    expected = expected.detach().numpy()
    allowed = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=allowed)


def found(method, model, x, classes, **params):
    """Maps by the layers as Keras runs them: its batch norm rounds, in float64, too."""
    _, maps = ke.explain(method, model, x, classes, lower=False, verbose=0, **params)
    return maps[..., 0]


def assert_same(maps, expected):
    expected = expected.detach().numpy()
    size = np.abs(expected).max()
    assert size > 0
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-5 * size)


def outputs_of(model):
    return lambda x: model(x, training=False)


@pytest.mark.filterwarnings("ignore:Integrated gradients do not add up")
@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("input_x_gradient", attr.InputXGradient),
        ("integrated_gradients", attr.IntegratedGradients),
    ],
)
def test_captum_gradients(real, name, peer):
    """With what both have for defaults: 50 Gauss-Legendre points from zeros."""
    model, x, classes = real
    method = getattr(ke.methods.gradient, name)
    maps = found(method, model, x, classes, channel_reduction=None)
    explainer = peer(outputs_of(model))
    images = torch.tensor(x, requires_grad=True)
    assert_same(maps, explainer.attribute(images, target=torch.tensor(classes)))


def test_captum_occlusion(real):
    """Of windows that fit; else Captum's last ones are shorter, ours do not."""
    model, x, classes = real
    stride, rest = divmod(x.shape[1], 4)
    size = stride + rest
    occlusion = ke.methods.perturbation.occlusion
    maps = found(occlusion, model, x, classes, size=size, stride=stride)
    with torch.no_grad():
        expected = attr.Occlusion(outputs_of(model)).attribute(
            torch.tensor(x),
            sliding_window_shapes=(size, size, 3),
            strides=(stride, stride, 3),
            target=torch.tensor(classes),
        )
    assert_same(np.repeat(maps[..., None], 3, axis=-1), expected)


class Halves(torch.nn.Module):
    """A Keras model with a layer of PyTorch's in the middle, which Captum can watch."""

    def __init__(self, model, layer):
        super().__init__()
        middle = model.get_layer(layer).output
        self.below = keras.Model(model.inputs, middle)
        self.above = keras.Model(middle, model.outputs)
        self.recorded = torch.nn.Identity()

    def forward(self, x):
        values = self.below(x, training=False).permute(0, 3, 1, 2)
        values = self.recorded(values).permute(0, 2, 3, 1)
        return self.above(values, training=False)


LAST = {"mobilenet_075": "conv_pw_13_relu", "squeezenet11": "fire9_concat"}


@pytest.mark.parametrize(
    ("name", "peer"),
    [
        ("gradcam", attr.LayerGradCam),
        ("hirescam", attr.LayerGradientXActivation),
    ],
)
def test_captum_cams(real, name, peer):
    model, x, classes = real
    halves = Halves(model, LAST[model.name])
    method = getattr(ke.methods.cams, name)
    maps = found(method, model, x, classes, layer=LAST[model.name], resizing=None)
    expected = peer(halves, halves.recorded).attribute(
        torch.tensor(x), target=torch.tensor(classes)
    )
    assert_same(maps, expected.sum(axis=1))
