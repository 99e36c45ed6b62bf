"""Losses of sequences do not count the steps that a mask of the outputs hides."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke

HEADS = {
    "dense": lambda: [layers.Dense(3)],
    "frames": lambda: [layers.TimeDistributed(layers.Dense(3))],
    "activation": lambda: [layers.Dense(3), layers.Activation("tanh")],
}


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("head", HEADS)
def test_they_are_those_of_evaluate(head, lower, rng):
    x = rng.normal(size=(3, 8, 3)).astype("float32")
    x[0, 5:] = x[1, 2:] = -99
    first = [keras.Input((8, 3)), layers.Masking(-99.0)]
    steps = layers.LSTM(4, return_sequences=True)
    model = keras.Sequential([*first, steps, *HEADS[head]()])
    model.compile(loss="mse")
    expected = [model.evaluate(one[None], one[None], verbose=0) for one in x]
    for target in (ke.targets.reconstruction(), ke.targets.loss(x, "mse")):
        values, maps = ke.gradients(model, x, target, lower=lower, verbose=0)
        np.testing.assert_allclose(values[:, 0], expected, rtol=1e-4)
        assert not maps[0, 5:].any()
        assert not maps[1, 2:].any()


def absolute_with_last_axis(labels, outputs):
    return ops.mean(ops.abs(labels - outputs), axis=-1, keepdims=True)


def test_losses_with_an_axis_behind_the_steps(rng):
    loss = absolute_with_last_axis
    x = rng.normal(size=(2, 6, 3)).astype("float32")
    x[0, 4:] = -99
    first = [keras.Input((6, 3)), layers.Masking(-99.0)]
    model = keras.Sequential([*first, layers.LSTM(3, return_sequences=True)])
    model.compile(loss=loss)
    expected = [model.evaluate(one[None], one[None], verbose=0) for one in x]
    values, _ = ke.gradients(model, x, ke.targets.loss(x, loss), verbose=0)
    np.testing.assert_allclose(values[:, 0], expected, rtol=1e-4)
