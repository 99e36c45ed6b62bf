"""A network, images and noise for the other packages and ours alike."""

import sys

import keras
import numpy as np
import pytest
from keras import layers, ops
from support import real_networks
from support.peer_noise import REPETITIONS, SEED

from benchmarks import torchvision_stand_in
from keras_explainable.sampling import noise


@pytest.fixture(scope="session")
def model():
    """A small convolutional network with logits."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((10, 12, 3))
    x = layers.Conv2D(8, 3, activation="relu")(inputs)
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    return keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))


@pytest.fixture(scope="module", params=real_networks.NETWORKS)
def real(request, shared):
    """A network trained on ImageNet, two photos and their classes, in float64.

    In float32, rounding flips a few ReLUs that are almost at zero.
    """
    network, before = request.param, keras.config.floatx()
    keras.config.set_floatx("float64")
    try:
        model = real_networks.build_model(shared).build(network)
        rows = real_networks.labels(shared)[:2]
        x, classes = real_networks.photos(shared, network, rows)
        yield model, x.astype("float64"), classes
    finally:
        keras.config.set_floatx(before)


@pytest.fixture(scope="session")
def images():
    return np.random.default_rng(0).normal(size=(3, 10, 12, 3)).astype("float32")


@pytest.fixture(scope="session")
def units():
    return np.array([1, 4, 0])


@pytest.fixture(scope="session")
def noises(model, images):
    """Returns sigma times our own noise (repetitions, B, ...), for sigma or a level."""

    def make(**level):
        amount = noise.Noise(
            level.get("noise", noise.DEFAULT), level.get("noise_level")
        )
        sigma = amount.scales(model, images, noise.value_ranges(images))
        count = len(images)
        rows = [
            noise.noisy_copies(
                np.zeros_like(images),
                sigma,
                noise.random_keys(SEED, np.arange(count), np.full(count, number)),
                np.arange(count),
            )
            for number in range(REPETITIONS)
        ]
        return np.stack([ops.convert_to_numpy(row) for row in rows])

    return make


@pytest.fixture
def drawn(monkeypatch):
    """Lets a function of a module return these arrays, one a call."""

    def replace(module, name, arrays):
        rest = iter(arrays)
        monkeypatch.setattr(module, name, lambda *args, **kwargs: next(rest))

    return replace


@pytest.fixture
def torchvision(monkeypatch):
    for name, module in torchvision_stand_in.modules().items():
        monkeypatch.setitem(sys.modules, name, module)


collect_ignore = [
    f"test_{name}_{what}.py"
    for name in ("tensorflow", "torch")
    for what in ("peers", "metrics", "lrp")
    if name != keras.backend.backend()
]
