"""Layers whose values depend on the backend are known by their settings."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import numpy

from keras_explainable.cli import load_model
from keras_explainable.network.backend_values import layers_with_other_values

#: Layers, and whether they compute other values on PyTorch for images of 7 x 8.
LAYERS = {
    "even": (layers.AveragePooling2D((1, 4), padding="same"), False),
    "valid": (layers.AveragePooling2D(2), False),
    "uneven": (layers.AveragePooling2D(3, padding="same"), True),
    "two": (layers.AveragePooling2D(2, padding="same"), False),
    "overlapping": (layers.AveragePooling2D(3, 1, padding="same"), False),
    "maxima": (layers.MaxPooling2D(2, padding="same"), False),
    "bicubic": (layers.Resizing(3, 3, "bicubic"), True),
    "bilinear": (layers.UpSampling2D(2, interpolation="bilinear"), False),
    "enlarged": (layers.UpSampling2D(2, interpolation="bicubic"), True),
}

TESTS = Path(__file__).parents[1]
PICTURE = np.sin(np.arange(56.0)).reshape(1, 7, 8, 1).astype("float32")


def built(name):
    inputs = keras.Input((7, 8, 1))
    layer = type(LAYERS[name][0]).from_config(LAYERS[name][0].get_config())
    return keras.Model(inputs, keras.Sequential([layer])(inputs)), layer


@pytest.mark.parametrize("name", LAYERS)
def test_layers_are_found_within_nested_models(name):
    model, layer = built(name)
    expected = [layer.name] if LAYERS[name][1] else []
    assert layers_with_other_values(model) == expected


def test_the_command_names_them(tmp_path):
    inputs = keras.Input((7, 7, 3))
    pooled = layers.AveragePooling2D(4, 2, padding="same", name="halved")(inputs)
    outputs = layers.Dense(3)(layers.GlobalAveragePooling2D()(pooled))
    keras.Model(inputs, outputs).save(tmp_path / "net.keras")
    with pytest.warns(UserWarning, match="The layers halved compute other values"):
        load_model.load(str(tmp_path / "net.keras"))


def values_on(backend):
    """Return the values of each layer on a backend, which a process computes."""
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(TESTS)}
    command = [sys.executable, __file__]
    out = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
    return json.loads(out.stdout)


@pytest.mark.cross_backend
def test_their_values_differ_and_those_of_others_do_not():
    theirs = [values_on(backend) for backend in ("tensorflow", "jax", "torch")]
    for name, (_, differs) in LAYERS.items():
        one, two, torch = (np.array(values[name]) for values in theirs)
        np.testing.assert_allclose(one, two, atol=2e-3)
        assert np.allclose(one, torch, atol=2e-3) != differs


if __name__ == "__main__":
    values = {name: numpy(built(name)[0](PICTURE)).tolist() for name in LAYERS}
    sys.stdout.write(json.dumps(values))
