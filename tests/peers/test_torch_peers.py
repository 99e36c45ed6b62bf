"""The same maps as Captum and zennit, given the same noise."""

import sys
from functools import partial
from types import ModuleType

import numpy as np
import pytest
import torch
from captum import attr
from same_noise import REPETITIONS, SEED

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

SIGNED = partial(gradients, gradient_filter=None, channel_reduction=None)


@pytest.fixture
def zennit(monkeypatch):
    """The package's attributions, without what it takes from torchvision.

    It only names two classes of that, which has no build for a CPU's PyTorch on PyPI.
    """
    names = ("torchvision", "torchvision.models", "torchvision.models.resnet")
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for name in ("Bottleneck", "BasicBlock"):
        setattr(sys.modules[names[-1]], name, type(name, (), {}))
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
