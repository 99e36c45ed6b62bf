from threading import Event

import keras
import numpy as np
import pytest
from keras import layers

from keras_explainable.explorer.album import Album, Source
from keras_explainable.explorer.explored_model import ExploredImage, ExploredModel
from keras_explainable.explorer.session import Session
from keras_explainable.plotting.seen_part import WHOLE

SIDE = 12


@pytest.fixture(scope="session")
def network():
    keras.utils.set_random_seed(3)
    inputs = keras.Input((SIDE, SIDE, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(4, 3, activation="tanh")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(4)(x), name="small")


@pytest.fixture(scope="session")
def model(network):
    classes = ("cat", "dog", "<b>mouse</b>", "house")
    return ExploredModel("small", "model", network, classes)


@pytest.fixture(scope="session")
def pixels():
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (SIDE, SIDE, 3), "uint8") for _ in range(3)]


def prepare(pixels):
    return pixels.astype("float32")


@pytest.fixture
def image(pixels):
    return ExploredImage("noise", pixels[0], prepare(pixels[0][None]), pixels[0])


@pytest.fixture
def session(network):
    return Session(network)


@pytest.fixture
def passes(session, monkeypatch):
    """The steps that a session computes, as (method, start, repetitions)."""
    found, original = [], session._next

    def counting(image, setting, known, *others):
        new = original(image, setting, known, *others)
        found.append((setting.method, known and known.repetitions, new.repetitions))
        return new

    monkeypatch.setattr(session, "_next", counting)
    return found


@pytest.fixture
def run(session, image):
    """Return all estimates of a setting."""

    def all_of(setting, repetitions=32, stop=None):
        return [*session.estimates(image, setting, repetitions, stop or Event())]

    return all_of


@pytest.fixture
def album(model, pixels):
    def source(number):
        return Source(
            f"picture {number}", lambda: (pixels[number], pixels[number], WHOLE)
        )

    def read_file(path):
        from PIL import Image, UnidentifiedImageError

        try:
            shown = Image.open(path).convert("RGB").resize((SIDE, SIDE))
        except UnidentifiedImageError:
            raise ValueError("is not an image or has an unknown format") from None
        return np.asarray(shown), np.asarray(shown), WHOLE

    return Album(model, prepare, [source(number) for number in range(3)], read_file)
