"""Where noise adds nothing, a warning says so; where it does, there is none."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import SHAPE, images, linear

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth

OPTIONS = {"repetitions": 2, "seed": 0, "verbose": 0, "postprocessing": None}


def test_constant_samples_are_named():
    x = images(4)
    x[1] = 3
    with pytest.warns(UserWarning, match="equal in 1 of 4 samples.*`noise`, which"):
        ke.smoothgrad(linear(), x, [0] * 4, **OPTIONS)


@pytest.mark.parametrize("batch_size", [3, 8])
def test_rows_that_pad_a_batch_are_no_samples(batch_size):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        ke.smoothgrad(linear(), images(4), [0] * 4, batch_size=batch_size, **OPTIONS)


def test_inputs_of_one_value_are_named(rng):
    inputs = keras.Input(SHAPE, name="image"), keras.Input((1,), name="age")
    h = layers.Concatenate()([layers.Flatten()(inputs[0]), inputs[1]])
    model = keras.Model(inputs, layers.Dense(2)(h))
    x = [images(3), rng.normal(size=(3, 1)).astype("float32")]
    with pytest.warns(
        UserWarning, match="values of age that can have noise are equal in 3 of 3"
    ):
        maps = ke.smoothgrad(model, x, [0] * 3, **OPTIONS)[1]
    assert all(map(np.any, maps))


@pytest.mark.parametrize(
    "amounts", [{"noise": 0.1}, {"noise": {"x": 0.0}}, {"noise_level": {"x": 0.0}}]
)
def test_sigma_that_was_given_is_what_was_meant(amounts):
    inputs = keras.Input(SHAPE, name="x")
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs)))
    method = smooth(gradients, 2, seed=0, **amounts)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        ke.explain(method, model, np.ones((2, *SHAPE), "float32"), [0] * 2, verbose=0)


def test_noise_that_is_much_too_small():
    with pytest.warns(
        UserWarning, match="noise hardly changes the input: sigma is 0.0001"
    ):
        ke.smoothgrad(linear(), images(4), [0] * 4, noise=1e-4, **OPTIONS)


def test_noise_that_is_much_too_large():
    x = images(4)
    x /= np.ptp(x)
    with pytest.warns(
        UserWarning, match="noise hides the input: sigma is 15, .* times"
    ):
        ke.smoothgrad(linear(), x, [0] * 4, noise=15, **OPTIONS)


def test_noise_that_is_too_large_for_some_images_may_be_meant():
    """They have little contrast."""
    x = images(4)
    x[:2] /= 1000
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        ke.smoothgrad(linear(), x, [0] * 4, noise=0.5, **OPTIONS)


def test_inputs_of_a_subclassed_model_are_named():
    class Sums(keras.Model):
        def call(self, inputs):
            return inputs["a"] + inputs["b"]

    model, x = Sums(), {"a": images(3)[:, 0, 0], "b": np.ones((3, 3), "float32")}
    model(x)
    with pytest.warns(
        UserWarning, match="values of b that can have noise are equal in 3 of 3"
    ):
        ke.smoothgrad(model, x, [0] * 3, **OPTIONS)
