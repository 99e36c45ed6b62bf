"""A softmax that is written out follows the rules of one that is called."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.methods import gradient, meta


def written(scores):
    values = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
    return values / ops.sum(values, axis=-1, keepdims=True)


def with_epsilon(scores):
    values = ops.exp(scores)
    return values / (ops.sum(values, axis=-1, keepdims=True) + 0.1)


def in_one_line(scores):
    """Keras knows nothing of the exponentials being the same."""
    return ops.exp(scores) / ops.sum(ops.exp(scores), axis=-1, keepdims=True)


class Written(layers.Layer):
    def call(self, scores):
        return written(scores)


SPELT = {"written": written, "epsilon": with_epsilon, "layer": Written()}
SPELT["in one line"] = in_one_line


def network(softmax):
    inputs = keras.Input((5, 4))
    x = layers.LayerNormalization(center=False)(inputs)
    weights = softmax(ops.matmul(x, ops.transpose(x, (0, 2, 1))))
    pooled = layers.GlobalAveragePooling1D()(ops.matmul(weights, x))
    head = layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(0))
    return keras.Model(inputs, head(pooled))


@pytest.mark.parametrize("name", SPELT)
def test_maps_are_those_of_a_softmax(name, rng):
    """A constant in the sum makes all probabilities of a query smaller."""
    x = rng.normal(size=(2, 5, 4)).astype("f4")
    ours, plain = network(SPELT[name]), network(ops.softmax)
    options = {"verbose": 0, "postprocessing": None}
    logits, found = ke.attnlrp(ours, x, [0, 1], **options)
    np.testing.assert_allclose(
        logits[:, 0], ops.convert_to_numpy(ours(x))[[0, 1], [0, 1]], rtol=1e-4
    )
    _, expected = ke.attnlrp(plain, x, [0, 1], **options)
    method = meta.libragrad(gradient.input_x_gradient)
    if name == "epsilon":
        shares = ke.attention_maps(ours, x).popitem()[1].sum(axis=-1)
        assert (shares < 1 - 1e-4).all()
        return
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    _, found = ke.explain(method, ours, x, [0, 1], **options)
    _, expected = ke.explain(method, plain, x, [0, 1], **options)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
