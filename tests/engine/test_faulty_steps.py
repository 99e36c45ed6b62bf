"""Operations are named within layers, frames and subclassed models."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke

STOPPED = "no derivative, though its values change"


class Stopped(layers.Layer):
    def call(self, inputs):
        return ops.stop_gradient(inputs)


class PartlyStopped(layers.Layer):
    """A part of its derivative is stopped, for any number of rows."""

    def __init__(self, **options):
        super().__init__(**options)
        self.planted = Stopped(name="planted")

    def build(self, shape):
        self.planted.build(shape)

    def call(self, inputs):
        shape = ops.shape(inputs)[0], -1
        stopped = self.planted(ops.reshape(ops.sqrt(inputs), shape))
        return stopped + ops.reshape(ops.sin(inputs), shape)

    def compute_output_shape(self, shape):
        return (shape[0], int(np.prod(shape[1:])))


class Own(keras.Model):
    def __init__(self, inner, function=ops.exp):
        super().__init__(name="own")
        self.inner, self.function = inner, function

    def call(self, inputs):
        return self.inner(self.function(inputs))


def dense(*between):
    x = inputs = keras.Input((2, 2, 1))
    for layer in between:
        x = layer(x)
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


NAME = "StopGradient in planted (Stopped) in outer (PartlyStopped)"
WITHIN = {
    "layer": (lambda: dense(PartlyStopped(name="outer")), NAME),
    "frames": (
        lambda: dense(layers.TimeDistributed(PartlyStopped(name="outer"), name="all")),
        f"{NAME} in all (TimeDistributed)",
    ),
    "subclassed": (
        lambda: Own(dense(PartlyStopped(name="outer"))),
        f"{NAME} in own (Own)",
    ),
    "lambda": (
        lambda: dense(layers.Lambda(ops.stop_gradient, name="function")),
        "StopGradient in function (Lambda)",
    ),
}


@pytest.mark.parametrize("kind", WITHIN)
@pytest.mark.parametrize("y", [None, lambda outputs: outputs[:, 0]])
def test_operations_within_layers_and_subclassed_models_are_named(kind, y, rng):
    build, name = WITHIN[kind]
    model, x = build(), rng.uniform(0.5, 1, (1, 2, 2, 1))
    model(x)
    nodes = [len(layer._inbound_nodes) for layer in model._flatten_layers()]
    found = ke.check_gradients(model, x, y)
    faults = [fault for each in found.comparisons for fault in each.faults]
    assert faults
    assert {each.operation for each in faults} == {name}
    assert {each.kind for each in faults} == {STOPPED}
    assert nodes == [len(layer._inbound_nodes) for layer in model._flatten_layers()]


def test_a_subclassed_model_whose_operations_are_not_known_is_checked():
    def function(inputs):
        if isinstance(inputs, keras.KerasTensor):
            raise TypeError("This could be a function of the backend.")
        return ops.stop_gradient(inputs)

    x = np.ones((1, 2, 2, 1))
    assert ke.check_gradients(Own(dense(), ops.sin), x).ok
    found = ke.check_gradients(Own(dense(), function), x)
    assert {each.faults[0].operation for each in found.comparisons} == {"own (Own)"}


def test_derivatives_that_are_no_numbers_are_named():
    """Infinity times zero."""
    model = dense(lambda x: ops.sqrt(ops.square(x)))
    options = {"derivatives": "framework"}
    found = ke.check_gradients(model, np.zeros((1, 2, 2, 1)), **options)
    assert not found.ok
    names = {fault.operation for each in found.comparisons for fault in each.faults}
    assert len(names) == 1
    assert "(Sqrt)" in names.pop()
    kinds = {fault.kind for each in found.comparisons for fault in each.faults}
    assert kinds == {"a derivative that is no finite number"}


def test_outputs_that_are_no_numbers_are_unclear():
    """The slope of the logarithm of -1 is a number."""
    found = ke.check_gradients(dense(ops.log), -np.ones((1, 2, 2, 1)))
    assert {each.verdict for each in found.comparisons} == {"unclear"}
