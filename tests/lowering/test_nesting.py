"""Nested models are flattened if they compute what their graph says."""

import keras
from keras import layers, ops
from support.model_equality import assert_lowered_equal, count, finished, operations
from support.small_models import randomize

SHAPE = (8, 8, 3)


def conv(**options):
    return layers.Conv2D(**{"filters": 4, "kernel_size": 3, **options})


def inner(side=8):
    return keras.Sequential(
        [
            keras.Input((side, side, 3)),
            conv(padding="same", filters=3),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.ReLU(),
        ]
    )


def middle():
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, layers.Add()([inner()(inputs), inputs]))


def test_nested_models_are_flattened():
    """One model is called twice, two levels deep, with norms folded across levels."""
    inputs, nested = keras.Input(SHAPE), middle()
    x = layers.Rescaling(2.0)(nested(nested(inputs)))
    outputs = layers.BatchNormalization()(keras.Sequential([conv()])(x))
    lowered = assert_lowered_equal(finished(inputs, outputs))
    assert not count(lowered, layers.BatchNormalization)
    assert not any(isinstance(step, keras.Model) for step in operations(lowered))


def test_a_nested_model_with_many_inputs_and_outputs():
    one, other = keras.Input(SHAPE), keras.Input(SHAPE)
    total = layers.BatchNormalization()(layers.Add()([one, ops.tanh(other)]))
    nested = keras.Model([one, other], [total, one])
    inputs = keras.Input(SHAPE)
    ends = nested([inputs, nested([ops.sin(inputs), inputs])[0]])
    assert_lowered_equal(finished(inputs, *ends))


def test_inference_overrides_training_as_in_keras():
    """Keras replaces the argument `training=True` of a layer with the model's own."""
    inputs = keras.Input(SHAPE)
    norm = keras.Sequential([keras.Input(SHAPE), layers.BatchNormalization()])
    outputs = layers.BatchNormalization()(conv()(inputs), training=True)
    outputs = layers.Dropout(0.5)(outputs, training=True)
    model = finished(inputs, outputs, norm(inputs, training=True))
    assert_lowered_equal(model)


class Doubling(keras.Model):
    def __init__(self):
        super().__init__()
        self.body = inner()

    def call(self, inputs):
        return 2 * self.body(inputs)


def test_a_nested_subclassed_model_is_not_flattened():
    inputs, nested = keras.Input(SHAPE), Doubling()
    outputs = layers.BatchNormalization()(conv()(nested(inputs)))
    lowered = assert_lowered_equal(finished(inputs, outputs))
    assert any(step is nested for step in operations(lowered))


def test_sequential_models():
    model = keras.Sequential([keras.Input(SHAPE), inner(), layers.Flatten()])
    model.add(layers.Dense(3))
    model.add(layers.BatchNormalization())
    randomize(model)
    lowered = assert_lowered_equal(model)
    assert not count(lowered, layers.BatchNormalization)
