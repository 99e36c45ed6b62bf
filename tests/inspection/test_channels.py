"""Models that permute their inputs are explained as those with the channels last."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy, randomize

import keras_explainable as ke
from keras_explainable.inspection import channels_last_model

SHAPE, Y = (3, 9, 12), [0, 2]

PERMUTING = {
    "layer": layers.Permute((2, 3, 1)),
    "transpose": lambda x: ops.transpose(x, (0, 2, 3, 1)),
    "moveaxis": lambda x: ops.moveaxis(x, 1, -1),
    "swapaxes": lambda x: ops.swapaxes(ops.swapaxes(x, 1, 2), 2, 3),
    "einsum": lambda x: ops.einsum("nchw->nhwc", x),
    "nested": keras.Sequential([keras.Input(SHAPE), layers.Permute((2, 3, 1))]),
}

READERS = {
    "padding": layers.ZeroPadding2D(1),
    "resizing": layers.Resizing(6, 6),
    "cropping": layers.CenterCrop(5, 5),
    "operation": lambda x: ops.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))),
    "dense": layers.Dense(3),
    "einsum": layers.EinsumDense("bhwc,cd->bhwd", output_shape=(9, 12, 4)),
    "twice": lambda x: layers.Add()([x, x]),
    "convolution of ops": lambda x: ops.conv(x, np.ones((3, 3, 3, 4), "float32")),
    "block": lambda x: Holder(layers.Conv2D(4, 3))(x),
}

METHODS = {
    "gradients": {},
    "smoothgrad": {"repetitions": 4, "noise": [0.1, 0.2, 0.3]},
    "guided_gradients": {},
    "input_x_gradient": {},
    "integrated_gradients": {"n_steps": 4, "baseline": "blur"},
    "full_gradients": {},
    "gradcam": {},
    "scorecam": {},
    "occlusion": {},
    "rise": {"repetitions": 2, "seed": 0},
}


class Holder(layers.Layer):
    """A layer of the user's, which holds another."""

    def __init__(self, layer):
        super().__init__()
        self.inner = layer

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return self.inner(x)


def network(start, shape=SHAPE):
    """Build a network whose first steps, such as a permutation, are ``start``."""
    inputs = keras.Input(shape)
    x = layers.Conv2D(4, 3, activation="relu", name="last")(start(inputs))
    x = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, x)
    randomize(model)
    return model


def last(x):
    return np.moveaxis(x, 1, -1)


@pytest.fixture
def x(rng):
    return rng.normal(size=(2, *SHAPE)).astype("float32")


@pytest.fixture(scope="module")
def permuted():
    return network(lambda x: PERMUTING["layer"](layers.Rescaling(0.5)(x)))


@pytest.fixture(scope="module")
def plain():
    return network(layers.Rescaling(0.5), (9, 12, 3))


@pytest.mark.parametrize("name", METHODS)
def test_maps_are_those_of_the_network_with_channels_last(name, permuted, plain, x):
    method, options = getattr(ke, name), METHODS[name] | {"verbose": 0}
    expected = method(plain, last(x), Y, **options)[1]
    maps = method(permuted, x, Y, **options)[1]
    assert maps.shape == (2, 9, 12, 1)
    np.testing.assert_allclose(maps, expected, atol=1e-5)


@pytest.mark.parametrize("way", PERMUTING)
def test_every_way_to_permute_is_followed_and_left_out(way, x):
    model = network(PERMUTING[way])
    moved, move = channels_last_model(model)
    assert moved.inputs[0].shape == (None, 9, 12, 3)
    np.testing.assert_allclose(numpy(moved(move(x))), numpy(model(x)), atol=1e-5)
    kept = {step.operation.name for step in moved.graph.steps}
    if way != "swapaxes":
        assert kept == {layer.name for layer in model.layers[-3:]}


def test_steps_that_know_the_axes_keep_them(x):
    norm = layers.Normalization(axis=1, mean=[0.1, 0.2, 0.3], variance=[1.0, 2.0, 3.0])
    model = network(lambda x: PERMUTING["layer"](norm(x)))
    moved, move = channels_last_model(model)
    np.testing.assert_allclose(numpy(moved(move(x))), numpy(model(x)), atol=1e-5)
    signed = ke.methods.gradient.input_gradients.SIGNED_GRADIENTS
    maps, expected = (
        numpy(signed(*pair)[1]) for pair in [(moved, move(x)), (model, x)]
    )
    np.testing.assert_allclose(maps, np.moveaxis(expected, 1, -2), atol=1e-6)


def test_a_signal_and_a_second_reader_of_the_input(rng):
    inputs = keras.Input((2, 8))
    x = layers.Conv1D(3, 3, activation="tanh")(layers.Permute((2, 1))(inputs))
    both = [layers.GlobalAveragePooling1D()(x), layers.LSTM(3)(inputs)]
    model = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(both)))
    moved, move = channels_last_model(model)
    x = rng.normal(size=(2, 2, 8)).astype("float32")
    np.testing.assert_allclose(numpy(moved(move(x))), numpy(model(x)), atol=1e-5)
    assert ke.gradients(moved, move(x), verbose=0)[1].shape == (2, 8, 2)


def test_only_inputs_with_their_channels_elsewhere_are_moved(rng):
    shapes = [SHAPE, (9, 12, 3), (4,)]
    inputs = [keras.Input(shape) for shape in shapes]
    image = layers.Permute((2, 3, 1))(inputs[0])
    pooled = [layers.GlobalAveragePooling2D()(x) for x in (image, inputs[1])]
    model = keras.Model(
        inputs, layers.Dense(2)(layers.Concatenate()([*pooled, inputs[2]]))
    )
    moved, move = channels_last_model(model)
    assert [x.shape[1:] for x in moved.inputs] == [(9, 12, 3), (9, 12, 3), (4,)]
    x = [rng.normal(size=(2, *shape)).astype("float32") for shape in shapes]
    np.testing.assert_allclose(numpy(moved(move(x))), numpy(model(x)), atol=1e-5)


@pytest.mark.parametrize(
    ("start", "shape"),
    [
        (lambda x: x, (9, 12, 3)),
        (layers.Permute((2, 1, 3)), (12, 9, 3)),
        (layers.Reshape((9, 12, 3)), (324,)),
    ],
)
def test_other_models_are_returned_as_they_are(start, shape):
    model = network(start, shape)
    same, move = channels_last_model(model)
    assert same is model
    assert move(shape) is shape


@pytest.mark.parametrize("reader", READERS)
def test_whatever_reads_a_transposed_input_has_its_channels_last(reader, x):
    model = network(lambda x: READERS[reader](PERMUTING["layer"](x)))
    moved, move = channels_last_model(model)
    assert moved.inputs[0].shape == (None, 9, 12, 3)
    np.testing.assert_allclose(numpy(moved(move(x))), numpy(model(x)), atol=1e-4)


@pytest.mark.parametrize(
    "start", [layers.LSTM(3), lambda x: ops.max(layers.ZeroPadding1D(1)(x), 1)]
)
def test_readers_of_a_transposed_signal(start):
    inputs = keras.Input((2, 8))
    model = keras.Model(inputs, layers.Dense(2)(start(layers.Permute((2, 1))(inputs))))
    assert channels_last_model(model)[0].inputs[0].shape == (None, 8, 2)


@pytest.mark.parametrize("normalize", [True, False])
def test_tokens_that_are_mixed_stay(normalize):
    inputs = keras.Input((8, 2))
    x = layers.LayerNormalization()(inputs) if normalize else inputs
    x = layers.Permute((2, 1))(layers.Dense(5)(layers.Permute((2, 1))(x)))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    assert channels_last_model(model)[0] is model


def test_a_second_reader_in_the_original_order_has_the_channels():
    inputs = keras.Input((8, 2))
    both = [layers.LSTM(3)(layers.Permute((2, 1))(inputs)), layers.LSTM(3)(inputs)]
    model = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(both)))
    assert channels_last_model(model)[0] is model


@pytest.mark.parametrize("size", [(9, 12), (None, None)])
@pytest.mark.parametrize(
    "start",
    [
        lambda x: ops.expand_dims(x, -1),
        lambda x: ops.expand_dims(layers.Rescaling(0.5)(x), -1),
        lambda x: (x / 255)[..., None],
        lambda x: x[:, :, :, None],
        lambda x: ops.expand_dims(layers.Permute((2, 1))(x), -1),
    ],
)
def test_images_without_channels_get_an_axis_for_them(start, size, rng):
    model = network(start, size)
    x = rng.normal(size=(2, 9, 12)).astype("float32")
    moved, move = channels_last_model(model)
    assert moved.inputs[0].shape == (None, *size, 1)
    np.testing.assert_allclose(numpy(moved(move(x))), numpy(model(x)), atol=1e-5)
    assert ke.gradients(model, x, verbose=0)[1].shape == (2, 9, 12, 3)


def test_an_index_that_also_crops_is_no_appended_axis(rng):
    model = network(lambda x: x[:, 2:, :, None], (None, None))
    x = rng.normal(size=(2, 9, 12)).astype("float32")
    moved, move = channels_last_model(model)
    np.testing.assert_allclose(numpy(moved(move(x))), numpy(model(x)), atol=1e-5)
