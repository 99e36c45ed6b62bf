"""What was made for a model, or compiled for a function, follows their changes."""

import gc
import weakref

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


class Scaled(keras.Model):
    def __init__(self, counts):
        super().__init__()
        self.body, self._scale, self.counts, self.calls = sequential(), 1.0, counts, 0

    def call(self, inputs):
        self.counts.append(inputs.shape)
        self.calls += 1
        return self._scale * self.body(inputs)


def squared(outputs):
    return ops.sum(ops.square(outputs), axis=-1)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("y", [None, squared])
def test_settings_of_the_users_own_layers(wrapped, y, x):
    scaled = Scaled([])
    model = within(scaled) if wrapped else scaled
    scaled(x)
    once, maps = ke.gradients(model, x, y, postprocessing=None, verbose=0)
    scaled._scale = 2.0
    twice, more = ke.gradients(model, x, y, postprocessing=None, verbose=0)
    factor = 2 if y is None else 4
    np.testing.assert_allclose(twice, factor * once, rtol=1e-4)
    np.testing.assert_allclose(more, factor * maps, rtol=1e-4, atol=1e-7)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="nothing is compiled")
def test_subclassed_models_are_compiled_once_for_a_function(x):
    model = Scaled([])
    model(x)
    ke.gradients(model, x, squared, verbose=0)
    before = len(model.counts)
    ke.gradients(model, x, squared, verbose=0)
    assert len(model.counts) == before


def test_a_model_of_a_target_keeps_its_model(x):
    targeted = ke.inspection.target_model(Scaled([]), squared)
    gc.collect()
    assert ke.gradients(targeted, x, verbose=0)[0].shape == (2, 1)


def test_a_subclassed_model_is_freed(x):
    model = Scaled([])
    ke.gradients(model, x, squared, verbose=0)
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None
