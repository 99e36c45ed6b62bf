"""Strided convolutions with few channels compute the same on blocks of pixels."""

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import layers
from support.model_equality import assert_lowered_equal, count, finished
from support.small_models import randomize

from keras_explainable import backend
from keras_explainable.lowering import lower
from keras_explainable.lowering.fold_batchnorm import Linear
from keras_explainable.lowering.space_to_depth import SpaceToDepth, suits_space_to_depth

pytestmark = pytest.mark.skipif(
    not backend.convolution_is_faster(layers.Conv2D(1, 1)),
    reason="Keras' convolutions are as fast on this backend",
)


def conv(**options):
    return layers.Conv2D(**{"filters": 5, "kernel_size": 3, "strides": 2, **options})


@pytest.mark.parametrize(
    ("options", "shape", "padding"),
    [
        ({"kernel_size": 7, "activation": "relu6"}, (20, 18, 3), ((3, 3), (3, 3))),
        ({"padding": "same"}, (8, 9, 3), None),
        ({"kernel_size": (2, 5), "padding": "same"}, (9, 8, 1), None),
        ({"kernel_size": 4, "strides": 4, "use_bias": False}, (12, 16, 3), None),
        ({"strides": 3, "kernel_size": 5}, (11, 13, 2), ((0, 1), (2, 0))),
        ({}, (9, 10, 4), ((0, 1), (0, 1))),
    ],
)
def test_the_copy_equals_the_convolution_it_replaces(options, shape, padding):
    inputs = keras.Input(shape)
    x = layers.ZeroPadding2D(padding)(inputs) if padding else inputs
    x = layers.BatchNormalization()(conv(**options)(x))
    lowered = assert_lowered_equal(finished(inputs, layers.ReLU()(x)))
    assert count(lowered, SpaceToDepth) == 1


@settings(max_examples=15, deadline=None)
@given(
    size=st.tuples(*[st.integers(5, 12)] * 2),
    window=st.tuples(*[st.integers(2, 5)] * 2),
    step=st.integers(2, 3),
    padding=st.sampled_from(["valid", "same"]),
)
def test_convolutions_of_any_size(size, window, step, padding):
    layer = conv(kernel_size=window, strides=step, padding=padding)
    assume(min(window) >= step)
    inputs = keras.Input((*size, 3))
    model = finished(inputs, layer(inputs))
    lowered = assert_lowered_equal(model)
    assert count(lowered, SpaceToDepth) == suits_space_to_depth(
        Linear(layer), (None, *size, 3)
    )


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (8, 8, 5)),
        ({"strides": 1}, (8, 8, 3)),
        ({"strides": (2, 1)}, (8, 8, 3)),
        ({"kernel_size": 1}, (8, 8, 3)),
        ({"filters": 4, "groups": 2}, (8, 8, 2)),
        ({"strides": 1, "dilation_rate": 2}, (8, 8, 3)),
        ({"kernel_size": 3, "strides": 3}, (10, 10, 3)),
        ({}, (None, 8, 3)),
    ],
    ids=str,
)
def test_unsuitable_convolutions_are_not_replaced(options, shape):
    layer = conv(**options)
    layer.build((None, *shape))
    assert not suits_space_to_depth(Linear(layer), (None, *shape))


def test_a_layer_called_on_two_sizes():
    inputs, shared = keras.Input((8, 8, 3)), conv(padding="same")
    smaller = layers.Cropping2D(((1, 0), (2, 1)))(inputs)
    lowered = assert_lowered_equal(finished(inputs, shared(inputs), shared(smaller)))
    assert count(lowered, SpaceToDepth) == 2


def test_changed_weights_are_noticed():
    inputs = keras.Input((8, 8, 3))
    model = finished(inputs, conv()(inputs))
    before = lower(model)
    randomize(model, seed=7)
    assert lower(model) is before
    assert_lowered_equal(model)


def test_half_precision():
    inputs = keras.Input((16, 16, 3))
    model = finished(inputs, conv(kernel_size=7, padding="same")(inputs))
    x = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype("float32")
    half = lower(model, "bfloat16")
    assert count(half, SpaceToDepth) == 1
    expected = keras.ops.convert_to_numpy(model(x))
    found = keras.ops.convert_to_numpy(half(keras.ops.convert_to_tensor(x)))
    assert 0 < np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
