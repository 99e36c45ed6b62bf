import json

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from keras_explainable.cli import main

SIDE = 12


def build(end="softmax", side=SIDE, classes=4):
    """Build a small network; ``side=None`` allows any size from 3 pixels."""
    inputs = keras.Input((side, side, 3))
    x = layers.Rescaling(1 / 255)(inputs)
    x = layers.Conv2D(4, 3, activation="tanh")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(classes, activation=end)(x))


@pytest.fixture(scope="session")
def model_file(tmp_path_factory):
    keras.utils.set_random_seed(1)
    path = tmp_path_factory.mktemp("models") / "net.keras"
    build().save(path)
    return str(path)


@pytest.fixture
def network():
    return build


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def picture(here):
    """Write an image of noise; the same number writes the same image."""

    def make(name, number=0, size=(20, 16)):
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), "uint8")
        Image.fromarray(pixels).save(path)
        return name

    return make


@pytest.fixture
def command(capsys):
    """Run the command; return its exit code, stdout and stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as caught:
            main([str(argument) for argument in arguments])
        code = caught.value.code
        return (code or 0, *capsys.readouterr())

    return run


@pytest.fixture
def explain(command, model_file, here):
    """Explain with the small network, into the folder ``out``.

    Methods without noise take no repetitions (None).
    """

    def run(*arguments, repetitions=2):
        few = () if repetitions is None else ("--repetitions", repetitions)
        given = (*few, "--model", model_file, "--out", "out")
        return command("explain", *given, *arguments)

    return run


@pytest.fixture
def manifest(here):
    return lambda: json.loads((here / "out" / "manifest.json").read_text("utf-8"))


@pytest.fixture
def maps(here):
    """Load the maps of one method, by image."""

    def load(folder="out"):
        with np.load(here / folder / "maps.npz") as file:
            return {key.rpartition(".")[0]: file[key] for key in file}

    return load
