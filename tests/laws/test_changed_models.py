"""What was made for a model, or compiled for a function, follows their changes."""

import gc
import types
import weakref
from collections import deque

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.model_kinds import KINDS
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.network.layers_of_model import _Same, model_state


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


class Block(layers.Layer):
    """A layer that holds another."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)


class Times(layers.Layer):
    def __init__(self):
        super().__init__()
        self.factors = [1.0]

    def call(self, inputs):
        return self.factors[0] * inputs


def half(x):
    return x / 2


class Config:
    scale = 1.0


FACTORS = np.ones(2)


class Scales(layers.Layer):
    """Computes with numbers of which none is an attribute itself."""

    scale = 1.0

    def __init__(self):
        super().__init__()
        self.listed, self.named, self.array = [1.0], {"a": {"b": 1.0}}, np.ones(1)
        self.config = Config()

    def call(self, inputs):
        scale = self.listed[0] * self.named["a"]["b"] * float(self.array[0])
        return inputs * scale * self.config.scale * self.scale * float(FACTORS[0])


class Activation:
    scale = 1.0

    def __call__(self, x):
        return self.scale * x


IN_PLACE = {
    "list": lambda layer, _: layer.listed.__setitem__(0, 3.0),
    "dictionary": lambda layer, _: layer.named["a"].__setitem__("b", 3.0),
    "array": lambda layer, _: layer.array.__imul__(3.0),
    "object": lambda layer, _: setattr(layer.config, "scale", 3.0),
    "class": lambda layer, patch: patch.setattr(Scales, "scale", 3.0),
    "global": lambda layer, patch: patch.setitem(globals(), "FACTORS", 3 * np.ones(2)),
}


@pytest.mark.parametrize("case", IN_PLACE)
def test_settings_are_changed_in_place(case, monkeypatch, x):
    layer = Scales()
    model = keras.Sequential([keras.Input((8, 8, 1)), layer, *sequential().layers[:1]])
    model.add(layers.GlobalAveragePooling2D())
    options = {"postprocessing": None, "verbose": 0}
    before = ke.gradients(model, x, **options)
    IN_PLACE[case](layer, monkeypatch)
    found = ke.gradients(model, x, **options)
    for one, three in zip(before, found, strict=True):
        np.testing.assert_allclose(three, 3 * one, rtol=1e-4, atol=1e-6)


def test_settings_of_an_activation_and_arguments_of_a_lambda(x):
    activation = Activation()
    scaled = layers.Lambda(lambda x, a: a * x, arguments={"a": 1.0})
    body = [layers.Conv2D(2, 3, activation=activation), scaled]
    model = keras.Sequential([keras.Input((8, 8, 1)), *body])
    model.add(layers.GlobalAveragePooling2D())
    once, _ = ke.gradients(model, x, verbose=0)
    activation.scale = 3.0
    np.testing.assert_allclose(ke.gradients(model, x, verbose=0)[0], 3 * once, 1e-4)
    scaled.arguments["a"] = 2.0
    np.testing.assert_allclose(ke.gradients(model, x, verbose=0)[0], 6 * once, 1e-4)


CHANGES = {
    "epsilon": (layers.BatchNormalization, "epsilon", 3.0),
    "negative_slope": (layers.LeakyReLU, "negative_slope", 3.0),
    "factors": (Times, "factors", [3.0]),
    "function": (lambda: layers.Lambda(ops.sin), "function", half),
    "padding": (lambda: layers.Conv2D(1, 3), "padding", "same"),
    "strides": (lambda: layers.MaxPooling2D(2), "strides", (1, 1)),
    "activation": (lambda: layers.Dense(1), "activation", half),
}


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("case", CHANGES)
def test_settings_are_changed(case, held, x):
    make, name, value = CHANGES[case]
    layer = make()
    first = Block(layer) if held else layer
    inputs = keras.Input((8, 8, 1))
    outputs = layers.GlobalAveragePooling2D()(first(inputs))
    model = keras.Model(inputs, outputs)
    before, _ = ke.gradients(model, x - 0.5, verbose=0)
    setattr(layer, name, value)
    logits, _ = ke.gradients(model, x - 0.5, verbose=0)
    assert not np.allclose(logits, before, rtol=1e-3)
    expected = numpy(model(ops.convert_to_tensor(x - 0.5)))
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-6)


def helper(x):
    return inner_helper(x)


def inner_helper(x):
    return 1.0 * x


def tripled(x):
    return 3.0 * x


STATE = keras.Variable(1.0)


class Base(layers.Layer):
    def scaled(self, x):
        return 1.0 * x


class Slotted:
    __slots__ = ("__weakref__", "factor", "unset")

    def __init__(self):
        self.factor = 1.0


SETTINGS = types.SimpleNamespace(inner={"factors": [1.0]})
QUEUE, SLOTTED = deque([1.0]), Slotted()


class Derived(Base):
    @property
    def factor(self):
        return FACTOR

    def call(self, inputs):
        held = SETTINGS.inner["factors"][0] * QUEUE[0] * SLOTTED.factor * self.factor
        return helper(self.scaled(inputs)) * STATE * held * helper.factor


FACTOR = helper.factor = 1.0


PATCHES = {
    "method of a base": lambda p: p.setattr(Base, "scaled", lambda _, x: 3.0 * x),
    "instructions": lambda p: p.setattr(inner_helper, "__code__", tripled.__code__),
    "function": lambda p: p.setitem(globals(), "inner_helper", tripled),
    "variable": lambda p: STATE.assign(3.0),
    "global object": lambda p: p.setitem(SETTINGS.inner, "factors", [3.0]),
    "queue": lambda p: p.setitem(globals(), "QUEUE", deque([3.0])),
    "slot": lambda p: p.setattr(SLOTTED, "factor", 3.0),
    "property": lambda p: p.setitem(globals(), "FACTOR", 3.0),
    "attribute of a function": lambda p: p.setattr(helper, "factor", 3.0),
}


@pytest.mark.parametrize("subclassed", [False, True])
@pytest.mark.parametrize("case", PATCHES)
def test_code_and_variables_around_a_layer_change(case, subclassed, monkeypatch, x):
    """As when a cell of a notebook is run again, or a module is loaded again."""
    STATE.assign(1.0)
    made = [Derived(), *sequential().layers[:1], layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((8, 8, 1)), *made])
    model = Wrapping(model) if subclassed else model
    before = ke.gradients(model, x, postprocessing=None, verbose=0)
    PATCHES[case](monkeypatch)
    found = ke.gradients(model, x, postprocessing=None, verbose=0)
    for one, three in zip(before, found, strict=True):
        np.testing.assert_allclose(three, 3 * one, rtol=1e-4, atol=1e-6)


class Wrapping(keras.Model):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs):
        return self.inner(inputs)


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_changes_no_setting(kind):
    if kind in ("legacy", "quantized", "distributed", "fixed_batch"):
        pytest.skip("is not called, or only elsewhere, or with other rows")
    model, x = KINDS[kind]()
    x = keras.tree.map_structure(ops.convert_to_tensor, x)
    model(x, training=False)
    before = model_state(model)
    model(x, training=False)
    assert model_state(model) == before


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


@pytest.mark.parametrize("kind", [np.array, ops.convert_to_tensor])
def test_a_filter_reads_an_array_around_it(x, kind):
    model, factors, maps = sequential(), kind([1.0, 2.0]), []

    def scaled(gradient):
        return factors[0] * ops.absolute(gradient)

    for number in (1.0, 10.0):
        if kind is ops.convert_to_tensor:
            factors = kind([number, 2.0])
        else:
            factors[0] = number
        found = ke.explain(gradients, model, x, gradient_filter=scaled, verbose=0)[1]
        maps.append(found)
    np.testing.assert_allclose(maps[1], 10 * maps[0], rtol=1e-5)


COUNTS = []


class Scaled(keras.Model):
    def __init__(self):
        super().__init__()
        self.body, self._scale, self.calls = sequential(), 1.0, 0

    def call(self, inputs):
        COUNTS.append(inputs.shape)
        self.calls += 1
        return self._scale * self.body(inputs)


def squared(outputs):
    return ops.sum(ops.square(outputs), axis=-1)


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("y", [None, squared])
def test_settings_of_the_users_own_layers(wrapped, y, x):
    scaled = Scaled()
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
    model = Scaled()
    model(x)
    ke.gradients(model, x, squared, verbose=0)
    before = len(COUNTS)
    ke.gradients(model, x, squared, verbose=0)
    assert len(COUNTS) == before


def test_a_model_of_a_target_keeps_its_model(x):
    targeted = ke.inspection.target_model(Scaled(), squared)
    gc.collect()
    assert ke.gradients(targeted, x, verbose=0)[0].shape == (2, 1)


def test_a_subclassed_model_is_freed(x):
    model = Scaled()
    ke.gradients(model, x, squared, verbose=0)
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def test_an_address_that_is_used_again_is_another_object():
    class Held:
        pass

    one = Held()
    known = _Same(one)
    assert known == _Same(one)
    assert known != _Same(Held())
    del one
    gc.collect()
    assert known != known  # Nothing is the same as what is gone.
