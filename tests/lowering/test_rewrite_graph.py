"""Layers that must not be folded are not, and all graphs compute the same outputs."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.model_equality import (
    assert_equal_outputs,
    assert_lowered_equal,
    batch,
    count,
    finished,
    operations,
)
from support.small_models import randomize

from keras_explainable.lowering import lower

BACKEND = keras.backend.backend()
SHAPE = (8, 8, 3)


class OwnConv(layers.Conv2D):
    def call(self, inputs):
        return 2 * super().call(inputs)


class OwnNorm(layers.BatchNormalization):
    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


class OwnDropout(layers.Dropout):
    def call(self, inputs, training=None):
        return 3 * inputs


class OwnPadding(layers.ZeroPadding2D):
    def call(self, inputs):
        return 1 + super().call(inputs)


def conv(**options):
    return layers.Conv2D(**{"filters": 4, "kernel_size": 3, **options})


def read_twice(x):
    x = conv()(x)
    return [layers.BatchNormalization()(x), ops.tanh(x)]


def own_activation(x):
    return [layers.BatchNormalization()(conv(activation="tanh")(x))]


def other_axis(x):
    return [layers.BatchNormalization(axis=1)(conv()(x))]


def own_conv(x):
    return [layers.BatchNormalization()(OwnConv(4, 3)(x))]


def own_norm(x):
    return [OwnNorm()(conv()(x))]


def two_norms(x):
    norms = [layers.BatchNormalization() for _ in range(2)]
    return [norms[1](norms[0](conv(activation=None)(x)))]


def layer_norm(x):
    return [layers.LayerNormalization()(conv()(x))]


UNFOLDED = {
    read_twice: 1,
    own_activation: 1,
    other_axis: 1,
    own_conv: 1,
    own_norm: 1,
    two_norms: 1,  # The second one is not folded.
    layer_norm: 0,
}


@pytest.mark.parametrize("make", UNFOLDED)
def test_a_norm_that_cannot_be_folded_stays(make):
    inputs = keras.Input(SHAPE)
    model = finished(inputs, *make(inputs))
    steps = operations(assert_lowered_equal(model))
    norms = [
        step for step in steps if "batch_norm" in step.name or "own_norm" in step.name
    ]
    assert len(norms) == UNFOLDED[make]


def test_an_output_of_the_model_is_not_folded_away():
    inputs = keras.Input((6,))
    hidden = layers.Dense(4)(inputs)
    normed = layers.BatchNormalization()(hidden)
    model = keras.Model(inputs, [hidden, layers.ReLU()(normed)])
    randomize(model)
    x = ops.convert_to_tensor(batch(model))
    for found, expected in zip(lower(model)(x), model(x), strict=True):
        np.testing.assert_allclose(*map(ops.convert_to_numpy, (found, expected)), 1e-5)


def test_a_shared_layer_is_folded_for_each_of_its_norms():
    inputs, shared = keras.Input(SHAPE), conv()
    norms = [layers.BatchNormalization() for _ in range(2)]
    ends = [norm(shared(x)) for norm, x in zip(norms, (inputs, -inputs), strict=True)]
    lowered = assert_lowered_equal(finished(inputs, *ends))
    assert not count(lowered, layers.BatchNormalization)


def test_a_shared_layer_is_folded_for_one_of_two_calls():
    inputs, shared = keras.Input(SHAPE), conv(padding="same", filters=3)
    once = shared(inputs)
    twice = layers.BatchNormalization()(shared(ops.tanh(once)))
    lowered = assert_lowered_equal(finished(inputs, once, twice))
    assert not count(lowered, layers.BatchNormalization)


def test_layers_called_twice_are_copied_once():
    inputs, shared, norm = (
        keras.Input(SHAPE),
        conv(filters=3),
        layers.BatchNormalization(),
    )
    block = [shared, norm, layers.ReLU()]
    ends = []
    for x in (inputs, -inputs):
        for layer in block:
            x = layer(x)
        ends.append(x)
    lowered = assert_lowered_equal(finished(inputs, *ends))
    copies = [step for step in operations(lowered) if step.name == shared.name]
    assert len(copies) == 2
    assert copies[0] is copies[1]


def test_an_activation_does_not_overwrite_an_input_that_others_read():
    """A ReLU may only overwrite its input if nothing else reads it."""
    inputs = keras.Input(SHAPE)
    first = conv(padding="same")(inputs)
    second = layers.BatchNormalization()(conv(padding="same")(layers.ReLU()(first)))
    added = layers.Add()([first, layers.ReLU()(second)])
    normed = layers.BatchNormalization()(added)
    ends = [layers.ReLU()(normed), normed, layers.ReLU()(added), added]
    assert_lowered_equal(finished(inputs, *ends))


def test_the_inputs_are_not_overwritten():
    inputs = keras.Input(SHAPE)
    plain = layers.Activation("linear")(layers.Dropout(0.5)(inputs))
    outputs = layers.ReLU()(layers.DepthwiseConv2D(1)(layers.ReLU()(plain)))
    model = finished(inputs, outputs)
    tensor = ops.convert_to_tensor(batch(model))
    assert_lowered_equal(model, tensor)
    np.testing.assert_array_equal(ops.convert_to_numpy(tensor), batch(model))


@pytest.mark.parametrize("padding", [(2, 1), ((2, 0), (1, 3))])
def test_zero_padding(padding):
    inputs = keras.Input(SHAPE)
    kinds = [conv(strides=2), layers.DepthwiseConv2D(3), conv(padding="same")]
    kinds += [layers.SeparableConv2D(3, 2), layers.MaxPooling2D(3), OwnConv(2, 3)]
    ends = [kind(layers.ZeroPadding2D(padding)(inputs)) for kind in kinds]
    both = layers.ZeroPadding2D(padding)(inputs)
    ends += [conv()(both), ops.cos(both), conv()(OwnPadding(padding)(inputs))]
    assert_lowered_equal(finished(inputs, *ends))


def test_only_true_identities_are_removed():
    inputs = keras.Input(SHAPE)
    x = layers.BatchNormalization()(layers.SpatialDropout2D(0.5)(conv()(inputs)))
    x = OwnDropout(0.5)(layers.GaussianNoise(0.9)(layers.Identity()(x)))
    x = layers.Activation("linear")(layers.ActivityRegularization(0.1)(x))
    lowered = assert_lowered_equal(finished(inputs, layers.GaussianDropout(0.5)(x)))
    names = [type(step).__name__ for step in operations(lowered)]
    assert len(names) == 4, names
    assert "OwnDropout" in names


def test_a_model_of_identities_only():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dropout(0.5)(layers.Identity()(inputs)))
    assert_lowered_equal(model)


@pytest.mark.skipif(BACKEND == "tensorflow", reason="no channels-first on its CPU")
def test_channels_first():
    inputs, first = keras.Input((3, 8, 9)), {"data_format": "channels_first"}
    x = layers.ZeroPadding2D(1, **first)(inputs)
    x = layers.BatchNormalization(axis=1)(conv(**first)(x))
    x = layers.MaxPooling2D(2, **first)(layers.ReLU()(x))
    x = layers.DepthwiseConv2D(2, **first)(x)
    assert_lowered_equal(finished(inputs, x))


def words(x):
    return layers.Embedding(9, 4, mask_zero=True)(x)


def numbers(x):
    return layers.Masking(0.0)(layers.Reshape((-1, 1))(x))


@pytest.mark.parametrize("start", [words, numbers])
def test_masks_are_passed_on(start):
    inputs = keras.Input((7,), dtype="int32" if start is words else "float32")
    x = layers.BatchNormalization()(layers.Dense(4)(start(inputs)))
    x = layers.Dropout(0.5)(layers.ReLU()(x))
    pooled = layers.GlobalAveragePooling1D()(x)
    model = finished(inputs, pooled, layers.LSTM(3)(layers.BatchNormalization()(x)))
    x = np.random.default_rng(0).integers(0, 3, (4, 7))
    x[:, 0] = 1
    lowered = lower(model)
    assert_equal_outputs(lowered, model, ops.convert_to_tensor(x.astype(inputs.dtype)))
    assert not count(lowered, layers.Dropout)


def test_functions_between_layers():
    inputs = keras.Input(SHAPE)
    x = ops.concatenate([conv()(inputs), -conv()(inputs)], axis=-1)
    x = layers.BatchNormalization()(ops.relu(x + 1) * 2)
    outputs = ops.reshape(ops.relu(x), (-1, 6 * 6, 8))
    assert_lowered_equal(finished(inputs, outputs, ops.mean(x, axis=(1, 2))))
