"""Subclassed models with states: any number of rows, and the states are kept."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods import gradient, meta, perturbation

PLAIN = {"postprocessing": None, "verbose": 0}
METHODS = {
    "gradients": gradient.gradients,
    "smoothgrad": meta.smooth(gradient.gradients, 4, seed=0),
    "occlusion": perturbation.occlusion,
}


class Recurrent(keras.Model):
    def __init__(self, stateful):
        super().__init__()
        self.recurrent = layers.LSTM(4, stateful=stateful)
        self.head = layers.Dense(2)

    def call(self, x):
        return self.head(self.recurrent(x))


def first_unit(outputs):
    return outputs[:, 0]


@pytest.fixture(scope="module")
def pair():
    """A stateful and an equal plain model, built for 3 rows."""
    keras.utils.set_random_seed(0)
    models = Recurrent(stateful=True), Recurrent(stateful=False)
    for model in models:
        model(np.zeros((3, 5, 2), "float32"))
    for variables in zip(*(m.trainable_variables for m in models), strict=True):
        variables[0].assign(variables[1])
    return models


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("y", [None, first_unit])
def test_stateful_layers_take_any_number_of_rows(pair, method, y, rng):
    stateful, plain = pair
    stateful.recurrent.reset_states()
    x = rng.normal(size=(5, 5, 2)).astype("float32")
    found = ke.explain(METHODS[method], stateful, x, y, **PLAIN)[1]
    expected = ke.explain(METHODS[method], plain, x, y, **PLAIN)[1]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert not any(numpy(state).any() for state in stateful.recurrent.states)


class Counted(layers.Layer):
    """Counts its calls, and draws from a seed."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)
        self.seed = keras.random.SeedGenerator(1)

    def call(self, x):
        self.calls.assign_add(1.0)
        return x + 0.01 * keras.random.normal(ops.shape(x), seed=self.seed)


class Sampling(keras.Model):
    def __init__(self):
        super().__init__()
        self.counted, self.head = Counted(), layers.Dense(2)

    def call(self, x):
        return self.head(self.counted(x))


@pytest.mark.parametrize("method", METHODS)
def test_a_first_call_with_a_function_keeps_the_state(method, rng):
    model, x = Sampling(), rng.normal(size=(3, 4)).astype("float32")
    model(x)
    before = [numpy(v) for v in model.variables]
    ke.explain(METHODS[method], model, x, first_unit, **PLAIN)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(numpy(variable), value)
