"""Gates and attention behind a step that moves the input: the way is not lost."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.methods import cams

PLAIN = {"postprocessing": None, "verbose": 0}
SHAPE = (2, 8, 12, 3)


def convolution(filters=4):
    return layers.Conv2D(filters, 3, padding="same", activation="tanh")


def squeeze_and_excite(x):
    gate = layers.Reshape((1, 1, 4))(layers.GlobalAveragePooling2D()(x))
    return x * layers.Conv2D(4, 1, activation="sigmoid")(gate)


def of_rows_and_columns(x):
    """Return coordinate attention: a gate for each row, and one for each column."""
    rows, columns = (ops.mean(x, axis=axis, keepdims=True) for axis in (2, 1))
    both = ops.concatenate([rows, ops.transpose(columns, (0, 2, 1, 3))], axis=1)
    both = layers.Conv2D(4, 1, activation="sigmoid")(both)
    rows, columns = both[:, : x.shape[1]], both[:, x.shape[1] :]
    return x * rows * ops.transpose(columns, (0, 2, 1, 3))


def attention(x):
    tokens = layers.Reshape((-1, 4))(x)
    tokens = layers.MultiHeadAttention(2, 2)(tokens, tokens)
    return layers.Reshape(x.shape[1:])(tokens)


def rolled_and_back(x):
    y = ops.roll(x, 2, axis=1)
    return x + ops.roll(layers.Conv2D(4, 1)(y), -2, axis=1)


#: Step in the model, the same of images, and back from maps.
FRONTS = {
    "flip": (
        lambda x: ops.flip(x, 2),
        lambda x: x[:, :, ::-1],
        lambda x: x[:, :, ::-1],
    ),
    "transposed": (
        layers.Permute((2, 1, 3)),
        lambda x: x.swapaxes(1, 2),
        lambda x: x.swapaxes(1, 2),
    ),
    "crop": (
        lambda x: x[:, 2:, 4:],
        lambda x: x[:, 2:, 4:],
        lambda x: np.pad(x, [(0, 0), (2, 0), (4, 0), (0, 0)]),
    ),
}
BODIES = [squeeze_and_excite, of_rows_and_columns, attention, rolled_and_back]


def network(body, front, shape):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape)
    x = convolution()(body(convolution()(front(inputs))))
    return keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))


@pytest.mark.backend_independent
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("name", FRONTS)
def test_maps_are_those_of_the_moved_image_moved_back(body, name, rng):
    front, move, back = FRONTS[name]
    x = rng.normal(size=SHAPE).astype("float32")
    moved = np.ascontiguousarray(move(x))
    model = network(body, front, SHAPE[1:])
    plain = network(body, lambda x: x, moved.shape[1:])
    plain.set_weights(model.get_weights())
    found = ke.explain(cams.hirescam, model, x, [0, 1], **PLAIN)[1]
    expected = back(ke.explain(cams.hirescam, plain, moved, [0, 1], **PLAIN)[1])
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)
