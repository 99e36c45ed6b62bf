"""Functions in a ``Lambda`` or an own layer: maps lie where the values do."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy

import keras_explainable as ke
from keras_explainable.methods import cams

PLAIN = {"postprocessing": None, "verbose": 0}


def standardized(x):
    """Return images of mean 0 and deviation 1: each value depends on all others."""
    x = x - ops.mean(x, axis=(1, 2, 3), keepdims=True)
    return x / (ops.std(x, axis=(1, 2, 3), keepdims=True) + 1e-3)


def attends(x):
    """Return images plus what their positions attend to."""
    tokens = ops.reshape(x, (-1, x.shape[1] * x.shape[2], 3))
    weights = ops.softmax(ops.matmul(tokens, ops.swapaxes(tokens, 1, 2)))
    return x + ops.reshape(ops.matmul(weights, tokens), (-1, *x.shape[1:]))


#: Functions of values, which stay where they are.
FUNCTIONS = {
    "logarithm": lambda x: ops.log(x + 0.01),
    "gamma": lambda x: ops.power(ops.maximum(x, 1e-6), 1 / 2.2),
    "tanh": lambda x: ops.tanh(2 * x),
    "square": ops.square,
    "gated": lambda x: x * ops.sigmoid(ops.mean(x, axis=-1, keepdims=True)),
    "window": lambda x: ops.clip(x, 0.2, 0.7),
    "standardized": standardized,
    "context": lambda x: x + ops.mean(x, axis=(1, 2), keepdims=True),
    "attention": attends,
    "sums": lambda x: ops.cumsum(x, axis=1),
    "largest": lambda x: ops.max_pool(x, 3, 1, "same"),
    "edges": lambda x: x - 0.5 * ops.max_pool(x, 5, 1, "same"),
    "weighted": lambda x: x * ops.softmax(x, axis=1),
}


@pytest.mark.backend_independent
@pytest.mark.parametrize("cut", [0, 9])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_values_in_a_lambda_move_nothing(name, cut, rng):
    x = rng.uniform(size=(2, 24, 20, 3)).astype("float32")

    def read(x):
        return FUNCTIONS[name](x[:, cut:])

    hidden = layers.Lambda(read, output_shape=(24 - cut, 20, 3))
    plain = body((24 - cut, 20, 3))
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, plain(hidden(inputs)))
    seen = numpy(read(ops.convert_to_tensor(x)))
    wanted = ke.explain(cams.hirescam, plain, seen, [[0]] * 2, **PLAIN)[1]
    found = ke.explain(cams.hirescam, model, x, [[0]] * 2, **PLAIN)[1]
    np.testing.assert_allclose(found[:, cut:], wanted, rtol=1e-4, atol=1e-6)
    assert not found[:, :cut].any()


def body(shape):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    x = layers.Conv2D(4, 3, activation="tanh")(inputs)
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 2, use_bias=False)(x))
    return keras.Model(inputs, layers.Dense(3)(x))
