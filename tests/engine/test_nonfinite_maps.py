"""Maps that are not finite: a warning names the images and where the NaN arises."""

import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients

BACKEND = keras.backend.backend()


def twins():
    """The distance of two embeddings, whose derivative at 0 is NaN."""
    tower = keras.Sequential(
        [keras.Input((4, 4, 2)), layers.Flatten(), layers.Dense(3)]
    )
    a, b = keras.Input((4, 4, 2)), keras.Input((4, 4, 2))
    distance = layers.Lambda(
        lambda t: ops.sqrt(ops.sum(ops.square(t[0] - t[1]), -1, keepdims=True)),
        output_shape=(1,),
        name="distance",
    )
    return keras.Model([a, b], distance([tower(a), tower(b)]))


def logarithm():
    inputs = keras.Input((4, 4, 2))
    h = layers.Lambda(ops.log, name="logarithm")(inputs)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(h)))


@pytest.fixture
def x(rng):
    return rng.uniform(1, 2, size=(6, 4, 4, 2)).astype("float32")


@pytest.mark.parametrize("method", ["gradients", "smoothgrad"])
def test_a_derivative_that_is_not_finite(method, x):
    other = x + 1
    other[[1, 4]] = x[[1, 4]]
    params = {"derivatives": "framework"}  # Ours are 0 there.
    params |= {"repetitions": 2, "noise": 0.0} if method == "smoothgrad" else {}
    expected = r"2 of 6 images.*images 1, 4.*derivative of 'distance'"
    with pytest.warns(UserWarning, match=expected):
        _, maps = getattr(ke, method)(
            twins(), [x, other], verbose=0, batch_size=4, **params
        )
    bad = ~np.isfinite(maps[0]).all(axis=(1, 2, 3))
    assert [*np.flatnonzero(bad)] == [1, 4]


@pytest.mark.parametrize("lower", [True, False])
def test_an_output_that_is_not_finite(lower, x):
    x[3, 0, 0] = -1
    with pytest.warns(UserWarning, match="images 3.*outputs of 'logarithm'"):
        ke.explain(gradients, logarithm(), x, [0] * 6, lower=lower, verbose=0)


def test_a_function_for_y_is_named_as_such(x):
    root = lambda o: ops.sqrt(o[:, 0] - o[:, 0])  # noqa: E731
    inputs = keras.Input((4, 4, 2))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(inputs)))
    with pytest.warns(UserWarning, match="derivative of the function given for `y`"):
        ke.explain(gradients, model, x, root, verbose=0)


def test_finite_maps_give_no_warning(x):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        ke.explain(gradients, logarithm(), x, [0] * 6, verbose=0)


def test_a_layer_that_speaks_against_the_unit_everywhere(rng):
    inputs = keras.Input((6, 6, 2))
    h = layers.Conv2D(3, 3, activation="relu", name="last")(inputs)
    head = layers.Dense(1, kernel_initializer=keras.initializers.Constant(-1.0))
    model = keras.Model(inputs, head(layers.Flatten()(h)))
    x = rng.normal(size=(2, 6, 6, 2)).astype("float32")
    with pytest.warns(UserWarning, match="2 of 2 maps.*all values were negative"):
        ke.gradcam(model, x, [0, 0], verbose=0)
    _, maps = ke.gradcam(model, x, [0, 0], postprocessing=None, verbose=0)
    assert maps.min() < 0


def test_inputs_of_which_every_step_is_hidden_are_named(rng):
    inputs = keras.Input((6, 3))
    h = layers.GlobalAveragePooling1D()(layers.Dense(4)(layers.Masking()(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(h))
    x = rng.uniform(1, 2, size=(2, 6, 3)).astype("float32")
    with pytest.warns(UserWarning, match="no step that `Masking` shows"):
        ke.scorecam(model, x, verbose=0)
