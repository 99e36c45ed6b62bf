"""Rules reach the scores of Keras' layers of attention, as those of operations."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke

CAUSAL = np.tril(np.ones((6, 6), bool))


def dots(scale, x):
    return scale * ops.matmul(x, ops.transpose(x, (0, 2, 1)))


def sums(x, scale=1.0):
    return ops.sum(ops.tanh(scale * (x[:, :, None] + x[:, None])), -1)


def causal(scores):
    return ops.where(CAUSAL, scores, -1e9)


class Mine(layers.Attention):
    """The user's own class, which computes as Keras' does."""


#: A layer of x, its weights, and the same scores by operations.
CASES = {
    "dot": (lambda x: layers.Attention()([x, x]), [], lambda x: dots(1.0, x)),
    "subclass": (lambda x: Mine()([x, x]), [], lambda x: dots(1.0, x)),
    "scaled": (
        lambda x: layers.Attention(use_scale=True, dropout=0.5)([x, x]),
        [0.5],
        lambda x: dots(0.5, x),
    ),
    "causal": (
        lambda x: layers.Attention()([x, x, x], use_causal_mask=True),
        [],
        lambda x: causal(dots(1.0, x)),
    ),
    "concat": (
        lambda x: layers.Attention(use_scale=True, score_mode="concat")([x, x]),
        [0.5, 2.0],
        lambda x: 2.0 * sums(x, 0.5),
    ),
    "additive": (
        lambda x: layers.AdditiveAttention(use_scale=False)([x, x]),
        [],
        sums,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_attnlrp_of_layers_is_that_of_operations(name, rng):
    attend, weights, scores = CASES[name]
    inputs, head = keras.Input((6, 4)), layers.Dense(2)
    tokens = layers.LayerNormalization(center=False)(inputs)
    by_layer = attend(tokens)
    by_operations = ops.matmul(ops.softmax(scores(tokens)), tokens)
    ours, plain = (
        keras.Model(inputs, head(layers.GlobalAveragePooling1D()(x)))
        for x in (by_layer, by_operations)
    )
    for layer in ours.layers:
        if "attention" in layer.name and weights:
            layer.set_weights([np.float32(x) for x in weights])
    x = rng.normal(size=(2, 6, 4)).astype("f4")
    found, expected = (
        ke.attnlrp(model, x, [0, 1], verbose=0, postprocessing=None)
        for model in (ours, plain)
    )
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-3, atol=1e-5)
