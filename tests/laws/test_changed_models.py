"""What was made for a model, or compiled for a function, follows their changes."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients


@pytest.fixture
def x(rng):
    return rng.uniform(size=(2, 8, 8, 1)).astype("float32")


def sequential():
    body = [
        layers.Conv2D(3, 3),
        layers.MaxPooling2D(2),
        layers.GlobalAveragePooling2D(),
    ]
    return keras.Sequential([keras.Input((8, 8, 1)), *body])


def replaced(model):
    model.pop()
    model.pop()
    model.add(layers.AveragePooling2D(2))
    model.add(layers.GlobalAveragePooling2D())


def within(model):
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, model(2 * inputs))


@pytest.mark.parametrize("nested", [False, True])
def test_layers_are_replaced(nested, x):
    inner = sequential()
    model = within(inner) if nested else inner
    ke.gradients(model, x, verbose=0)
    replaced(inner)
    logits, _ = ke.gradients(model, x, verbose=0)
    np.testing.assert_allclose(logits, numpy(model(x)), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "name"),
    [(layers.BatchNormalization(), "epsilon"), (layers.LeakyReLU(), "negative_slope")],
)
def test_numbers_are_changed(layer, name, x):
    model = keras.Sequential([keras.Input((8, 8, 1)), layer, *sequential().layers])
    ke.gradients(model, x - 0.5, verbose=0)
    setattr(layer, name, 3.0)
    logits, _ = ke.gradients(model, x - 0.5, verbose=0)
    expected = numpy(model(ops.convert_to_tensor(x - 0.5)))
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-6)


class Settings:
    unit = 0
    scale = 1.0


def of_settings(outputs):
    return outputs[:, Settings.unit]


def test_a_function_for_y_reads_a_class(x, monkeypatch):
    model = sequential()
    for unit in (0, 2):
        monkeypatch.setattr(Settings, "unit", unit)
        logits, _ = ke.gradients(model, x, of_settings, verbose=0)
        np.testing.assert_allclose(logits[:, 0], numpy(model(x))[:, unit], rtol=1e-4)


def test_a_filter_reads_variables_around_it(x):
    model, scale, maps = sequential(), 1.0, []

    def scaled(gradient):
        return scale * ops.absolute(gradient)

    for scale in (1.0, 10.0):  # noqa: B007 - the function reads it.
        found = ke.explain(gradients, model, x, gradient_filter=scaled, verbose=0)[1]
        maps.append(found)
    np.testing.assert_allclose(maps[1], 10 * maps[0], rtol=1e-5)
