"""ReLUs before max pooling: which of them are merged with it into one step."""

import math

import keras
import numpy as np
import pytest
from keras import layers
from support.estimators import agrees_in_the_limit, explained, network, pictures

import keras_explainable as ke
from keras_explainable.methods.gradient.input_gradients import SIGNED_GRADIENTS
from keras_explainable.methods.meta import smooth
from keras_explainable.methods.slopes.linearized_network import (
    exposed_model,
    nonlinearities,
)
from keras_explainable.methods.slopes.max_pooling import (
    MaxPooling,
    MergedReLU,
    PoolingAfterSharedReLU,
)
from keras_explainable.methods.slopes.nonlinearities import Elementwise

SHAPE = (8, 8, 3)


def pool(x):
    return layers.MaxPooling2D(2)(x)


def one(x):
    return pool(layers.ReLU()(x))


def joined(x):
    parts = [keras.ops.relu(x), layers.Activation("relu")(x)]
    return pool(
        layers.ZeroPadding2D(1)(layers.Dropout(0.5)(layers.Concatenate()(parts)))
    )


def over_all(x):
    return layers.GlobalMaxPooling2D(keepdims=True)(layers.ReLU(6)(x))


def read_by_others(x):
    x = layers.ReLU()(x)
    return layers.Concatenate()([pool(x), layers.AveragePooling2D(2)(x)])


def join_read_by_others(x):
    x = layers.Concatenate()([layers.ReLU()(x), layers.ReLU()(x)])
    return layers.Concatenate()([pool(x), layers.AveragePooling2D(2)(x)])


def part_read_by_others(x):
    x, y = layers.ReLU()(x), layers.ReLU()(x)
    both = pool(layers.Concatenate()([x, y]))
    return layers.Concatenate()([both, layers.AveragePooling2D(2)(y)])


def read_by_two(x):
    x = layers.ReLU()(x)
    return layers.Concatenate()([pool(x), layers.MaxPooling2D(3, 2, "same")(x)])


def read_twice_by_a_join(x):
    x = layers.ReLU()(x)
    return pool(layers.Concatenate()([x, x]))


def twice(x):
    return pool(pool(layers.ReLU()(x)))


def beside_a_pool(x):
    parts = [layers.MaxPooling2D(2, 1, "same")(layers.ReLU()(x)), layers.ReLU()(x)]
    return pool(layers.Concatenate()(parts))


def with_different_maxima(x):
    return pool(layers.Concatenate()([layers.ReLU()(x), layers.ReLU(6)(x)]))


def beside_another_input(x):
    return pool(layers.Concatenate()([layers.ReLU()(x), x]))


def leaky(x):
    return pool(layers.LeakyReLU()(x))


class Odd(layers.Concatenate):
    """A subclass of ``Concatenate``, which may do anything."""


def through_a_subclass(x):
    return pool(Odd()([layers.ReLU()(x), layers.ReLU()(x)]))


#: The expected nonlinearities of the ReLUs and pooling layers, in order.
EXPECTED = {
    one: [MergedReLU, MaxPooling],
    joined: [MergedReLU, MergedReLU, MaxPooling],
    over_all: [MergedReLU, MaxPooling],
    read_by_others: [Elementwise, PoolingAfterSharedReLU],
    join_read_by_others: [Elementwise, Elementwise, PoolingAfterSharedReLU],
    part_read_by_others: [Elementwise, Elementwise, PoolingAfterSharedReLU],
    read_by_two: [Elementwise, PoolingAfterSharedReLU, PoolingAfterSharedReLU],
    read_twice_by_a_join: [Elementwise, PoolingAfterSharedReLU],
    twice: [MergedReLU, MaxPooling, PoolingAfterSharedReLU],
    beside_a_pool: [MergedReLU, MaxPooling, Elementwise, PoolingAfterSharedReLU],
    with_different_maxima: [Elementwise, Elementwise, MaxPooling],
    beside_another_input: [Elementwise, MaxPooling],
    leaky: [Elementwise, MaxPooling],
}


def built(build):
    keras.utils.set_random_seed(4)
    inputs = keras.Input(SHAPE)
    flat = layers.Flatten()(build(inputs))
    return keras.Model(inputs, layers.Dense(3)(flat))


@pytest.mark.parametrize("build", EXPECTED)
def test_relus_that_only_one_pooling_reads_are_merged_with_it(build):
    found = nonlinearities(exposed_model(built(build)).graph)
    assert len(found) == len(EXPECTED[build])
    for nonlinearity, kind in zip(found, EXPECTED[build], strict=True):
        assert isinstance(nonlinearity, kind), nonlinearity


@pytest.mark.filterwarnings("ignore:The slopes of these layers")
def test_only_layers_of_keras_forward_values():
    found = nonlinearities(exposed_model(built(through_a_subclass)).graph)
    assert not any(isinstance(nonlinearity, MergedReLU) for nonlinearity in found)


def test_no_relu_is_merged_with_an_unknown_pooling():
    pooling = layers.MaxPooling2D(2, data_format="channels_first")
    inputs = keras.Input(SHAPE)
    y = layers.Flatten()(pooling(layers.ReLU()(inputs)))
    with pytest.warns(UserWarning, match="The slopes of these layers"):
        model = exposed_model(keras.Model(inputs, layers.Dense(3)(y)))
    relu, _ = nonlinearities(model.graph)
    assert isinstance(relu, Elementwise)


def test_no_relu_is_merged_with_a_pooling_after_an_unknown_one():
    """The first is linearized at the mean, without argmax frequencies."""
    inputs = keras.Input(SHAPE)
    first = layers.MaxPooling2D(2, data_format="channels_first")(layers.ReLU()(inputs))
    y = layers.Flatten()(layers.MaxPooling2D((2, 1))(first))
    with pytest.warns(UserWarning, match="The slopes of these layers"):
        model = exposed_model(keras.Model(inputs, layers.Dense(3)(y)))
    relu, _, second = nonlinearities(model.graph)
    assert isinstance(relu, Elementwise)
    assert isinstance(second, PoolingAfterSharedReLU)


@pytest.mark.parametrize("build", EXPECTED)
def test_relus_and_pooling_together_are_nearly_exact(build):
    """Less so where two argmaxes, or ReLUs with two maxima, depend on each other."""
    within = 0.2 if build in (beside_a_pool, with_different_maxima) else 0.08
    agrees_in_the_limit(built(build), within=within, repetitions=2048)


@pytest.mark.parametrize("relu_max", [math.inf, 1.0])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_one_relu_and_its_pooling_have_the_slopes_of_the_samples(relu_max, padding):
    """If no other step is nonlinear, slopes are exact, even with few copies."""
    relu = layers.ReLU(None if math.isinf(relu_max) else relu_max)
    keras.utils.set_random_seed(0)
    convolution = layers.Conv2D(4, 3)
    model = network(convolution, relu, layers.MaxPooling2D(3, 2, padding))
    found = explained(model, pictures(), [0, 1], "slopes", 8)
    pairs = smooth(SIGNED_GRADIENTS, 8, noise=0.5, antithetic=True, seed=0)
    _, expected = ke.explain(pairs, model, pictures(), [0, 1], verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
