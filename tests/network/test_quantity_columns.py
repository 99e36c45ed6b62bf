"""Columns that a layer reads as quantities, beside those of categories."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke


class Reads(layers.Layer):
    """Looks the first column up, and reads the others by functions with a kink."""

    def __init__(self, kinks):
        super().__init__()
        self.look_up, self.kinks = layers.Embedding(5, 2), kinks

    def call(self, t):
        first = self.look_up(ops.cast(t[:, 0], "int32"))
        return ops.concatenate([first, *(f(t[:, 1:]) for f in self.kinks)], axis=-1)


KINKS = {
    "at 1": [lambda t: ops.relu(t - 1.0)],
    "at 50": [lambda t: ops.relu((t - 50.0) / 10.0)],
    "falling": [lambda t: ops.relu(0.05 - t)],
    "none": [],
}


@pytest.mark.parametrize("case", KINKS)
def test_columns_with_derivatives_somewhere_are_quantities(case, rng):
    inputs = keras.Input((3,))
    h = layers.Dense(4, activation="tanh")(Reads(KINKS[case])(inputs))
    model = keras.Model(inputs, layers.Dense(2)(h))
    x = np.column_stack([[1, 3], rng.uniform(55, 60, (2, 2))]).astype("float32")
    if case == "none":
        with pytest.raises(ValueError, match="must have an input of real numbers"):
            ke.smoothgrad(model, x, [0, 1], verbose=0)
        return
    found = ke.methods.meta.smooth(ke.methods.gradient.gradients, 2, noise=1.0, seed=0)
    options = {"return_stats": True, "verbose": 0}
    _, _, stats = ke.explain(found, model, x, [0, 1], **options)
    np.testing.assert_array_equal(
        np.asarray(stats.sigma) > 0, [[False, True, True]] * 2
    )


THRESHOLDS = {
    "above 40": lambda t: ops.relu(t - 40) / 50,
    "window": lambda t: (ops.clip(t, 40, 400) - 40) / 360,
    "logarithm": lambda t: ops.log(t - 10),
}

#: Those of values from 0 to 1, which look like categories at 0 and 1.
FRACTIONS = {
    "contrast": lambda t: ops.clip((t - 0.4) / 0.4, 0, 1),
    "smooth step": lambda t: smooth_step(ops.clip((t - 0.4) / 0.4, 0, 1)),
    "steep": lambda t: ops.hard_sigmoid(20 * (t - 0.6)),
    "straight through": lambda t: t + ops.stop_gradient(ops.round(t) - t),
}


def smooth_step(t):
    return t * t * (3 - 2 * t)


@pytest.mark.parametrize("case", THRESHOLDS)
def test_thresholds_in_a_lambda_are_those_of_operations(case, rng):
    keras.utils.set_random_seed(0)
    inputs, read = keras.Input((3,)), THRESHOLDS[case]
    body = keras.Sequential([layers.Dense(6, activation="tanh"), layers.Dense(2)])
    hidden = layers.Lambda(read, output_shape=(3,))
    models = [keras.Model(inputs, body(step(inputs))) for step in (hidden, read)]
    check_equal_noise(models, rng.uniform(45, 100, (2, 3)))


@pytest.mark.parametrize("case", FRACTIONS)
def test_contrasts_in_a_layer_are_those_of_operations(case, rng):
    keras.utils.set_random_seed(0)
    inputs, read = keras.Input((3,)), FRACTIONS[case]

    class Own(layers.Layer):
        def call(self, t):
            return read(t)

    body = keras.Sequential([layers.Dense(6, activation="tanh"), layers.Dense(2)])
    models = [keras.Model(inputs, body(step(inputs))) for step in (Own(), read)]
    check_equal_noise(models, rng.uniform(0, 1, (2, 3)))


def check_equal_noise(models, x):
    """Check that the inputs of two equal models have the same noise."""
    x = x.astype("float32")
    options = {"repetitions": 2, "seed": 0, "verbose": 0, "return_stats": True}
    found, expected = (ke.smoothgrad(m, x, [0, 1], **options)[2] for m in models)
    np.testing.assert_array_equal(found.sigma, expected.sigma)
    np.testing.assert_allclose(found.maps, expected.maps, rtol=1e-4, atol=1e-7)
    assert np.asarray(found.sigma).all()
