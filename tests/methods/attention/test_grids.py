"""Attention over the positions of images (B, H, W, C), which are its tokens."""

import keras
import numpy as np
import pytest
from keras import layers
from support.attention_methods import NAMES, raw_maps

import keras_explainable as ke
from keras_explainable.methods import gradient, meta


def network(tokens, axes=None):
    """Return a block of attention over a grid of 3 x 2, or over its 6 tokens."""
    inputs = keras.Input((6, 4, 3))
    x = layers.Conv2D(8, 2, strides=2)(inputs)
    x = layers.Reshape((6, 8))(x) if tokens else x
    for _ in range(2):
        normed = layers.LayerNormalization()(x)
        attention = layers.MultiHeadAttention(2, 4, attention_axes=axes)
        x = layers.Add()([x, attention(normed, normed)])
    pool = layers.GlobalAveragePooling1D if tokens else layers.GlobalAveragePooling2D
    return keras.Model(inputs, layers.Dense(3)(pool()(x)))


@pytest.fixture(scope="module")
def pair():
    keras.utils.set_random_seed(0)
    of_tokens, of_grids = network(True), network(False)
    of_grids.set_weights(of_tokens.get_weights())
    return of_tokens, of_grids


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, 6, 4, 3)).astype("f4")


def test_probabilities_are_those_of_tokens(pair, x):
    expected, found = (ke.attention_maps(model, x) for model in pair)
    for one, other in zip(expected.values(), found.values(), strict=True):
        assert other.shape == (2, 2, 6, 6)
        np.testing.assert_allclose(other, one, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_methods_of_attention(pair, x, name):
    expected, found = (raw_maps(name, model, x) for model in pair)
    assert found.shape == (2, 3, 2, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


def test_libragrad(pair, x):
    method = meta.libragrad(gradient.input_x_gradient)
    expected, found = (
        ke.explain(method, model, x, [0, 1], verbose=0, postprocessing=None)[1]
        for model in pair
    )
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_attention_along_one_axis_of_a_grid(x):
    """Each row of the grid is a sequence of its own."""
    [found, _] = ke.attention_maps(network(False, axes=(2,)), x).values()
    assert found.shape == (2, 3, 2, 2, 2)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-5)
