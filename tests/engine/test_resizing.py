"""By default, maps have the spatial size of the input that they belong to."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.common.interpolation import interpolated

SIZES = {"signals": (12,), "images": (8, 12), "volumes": (8, 6, 10)}
PLAIN = {"postprocessing": None, "verbose": 0}


def network(size):
    """Return a network whose last spatial layer is half as large as the input."""
    rank = len(size)
    convolution = getattr(layers, f"Conv{rank}D")
    pooling = getattr(layers, f"GlobalAveragePooling{rank}D")
    inputs = keras.Input((*size, 2))
    x = convolution(3, 2, strides=2, activation="tanh", name="half")(inputs)
    return keras.Model(inputs, layers.Dense(3, name="logits")(pooling()(x)))


@pytest.fixture(scope="module", params=SIZES)
def case(request):
    size = SIZES[request.param]
    x = np.random.default_rng(0).normal(size=(2, *size, 2)).astype("float32")
    return network(size), x, [[0, 2], [1, 1]]


CAMS = ("cam", "gradcam", "gradcampp", "hirescam", "layercam", "scorecam")
OTHERS = ("gradients", "full_gradients", "input_x_gradient", "occlusion")


@pytest.mark.parametrize("name", CAMS)
def test_maps_of_layers_are_enlarged(case, name):
    model, x, y = case
    method = getattr(ke.methods.cams, name)
    for size in (None, False):
        _, own = ke.explain(method, model, x, y, resizing=size, verbose=0)
        assert own.shape[1:-1] == tuple(side // 2 for side in x.shape[1:-1])
    expected = ops.convert_to_numpy(interpolated(own, x.shape[1:-1]))
    for params in ({}, {"resizing": True}):
        _, maps = ke.explain(method, model, x, y, verbose=0, **params)
        np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-6)
    _, maps = getattr(ke, name)(model, x, y, **PLAIN)
    np.testing.assert_allclose(maps, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", OTHERS)
def test_maps_of_inputs_are_left_as_they_are(case, name):
    model, x, y = case
    params = {"size": 4} if name == "occlusion" else {}
    _, own = getattr(ke, name)(model, x, y, resizing=None, **PLAIN, **params)
    _, maps = getattr(ke, name)(model, x, y, **PLAIN, **params)
    assert maps.shape == (*x.shape[:-1], 2)
    np.testing.assert_array_equal(maps, own)


def test_a_map_without_spatial_axes_is_left_unless_asked_for():
    model, x = network((8, 8)), np.ones((1, 8, 8, 2), "float32")
    gradcam = ke.methods.cams.gradcam
    _, maps = ke.explain(gradcam, model, x, layer="logits", verbose=0)
    assert maps.shape == (1, 3)
    with pytest.raises(ValueError, match="`resizing` must be None, or a size"):
        ke.explain(gradcam, model, x, layer="logits", resizing=True, verbose=0)


def test_a_layer_with_other_axes_than_the_input_is_left():
    """The two axes of a spectrogram are not those of the signal."""
    inputs = keras.Input((16, 1))
    x = layers.Conv2D(2, 3, name="c")(layers.Reshape((4, 4, 1))(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalMaxPooling2D()(x)))
    x = np.ones((1, 16, 1), "float32")
    _, maps = ke.gradcam(model, x, [0], layer="c", **PLAIN)
    assert maps.shape == (1, 2, 2, 1)


def test_tables_and_tokens_are_left():
    table = keras.Sequential([keras.Input((6,)), layers.Dense(2)])
    _, maps = ke.gradients(table, np.ones((2, 6), "float32"), [0, 1], verbose=0)
    assert maps.shape == (2, 6, 1)
    tokens = keras.Sequential([keras.Input((5,), dtype="int32")])
    for layer in (layers.Embedding(7, 3), layers.Flatten(), layers.Dense(2)):
        tokens.add(layer)
    _, maps = ke.gradients(tokens, np.ones((2, 5), "int32"), [0, 1], verbose=0)
    assert maps.shape == (2, 5, 1)


def test_each_input_has_maps_of_its_own_size():
    half = layers.Conv2D(2, 2, strides=2, name="half")
    inputs = [keras.Input((8, 8, 1), name="a"), keras.Input((12, 4, 1), name="b")]
    pooled = [layers.GlobalAveragePooling2D()(half(x)) for x in inputs]
    model = keras.Model(inputs, layers.Dense(2)(layers.Add()(pooled)))
    x = [np.ones((1, *each.shape[1:]), "float32") for each in inputs]
    _, maps = ke.gradcam(model, x, [0], layer="half", **PLAIN)
    assert [each.shape for each in maps] == [(1, 8, 8, 1), (1, 12, 4, 1)]


def test_one_map_of_several_inputs_and_other_structures_are_left():
    inputs = [keras.Input((8, 8, 1), name="a"), keras.Input((8, 8, 1), name="b")]
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(layers.Add()(inputs)))
    x = [np.ones((1, 8, 8, 1), "float32")] * 2

    def one(model, inputs, indices=None):
        return inputs[0][:, 0, 0], inputs[1][:, :3, :3]

    def three(model, inputs, indices=None):
        return inputs[0][:, 0, 0], [inputs[0][:, :3, :3]] * 3

    assert ke.explain(one, model, x, verbose=0)[1].shape == (1, 3, 3, 1)
    assert [m.shape for m in ke.explain(three, model, x, verbose=0)[1]] == [
        (1, 3, 3, 1)
    ] * 3


def test_maps_that_are_labels_are_resized_as_numbers():
    model, x = network((8, 8)), np.ones((1, 8, 8, 2), "float32")
    for dtype in ("bool", "uint8"):
        labels = lambda maps, dtype=dtype: ops.cast(ops.ones_like(maps), dtype)  # noqa: E731
        _, maps = ke.gradcam(model, x, [0], postprocessing=labels, verbose=0)
        np.testing.assert_allclose(maps, np.ones((1, 8, 8, 1)), rtol=1e-6)


def test_maps_of_a_layer_have_the_length_of_tokens():
    """The layer reads them as they are, or as one-hot rows made of them."""
    inputs = keras.Input((12,), dtype="int32")
    one_hot = layers.Lambda(lambda x: ops.one_hot(x, 5), output_shape=(12, 5))
    x = layers.Conv1D(3, 3, padding="same", name="c")(one_hot(inputs))
    pooled = layers.Flatten()(layers.MaxPooling1D(2, name="half")(x))
    model = keras.Model(inputs, layers.Dense(2)(pooled))
    x = np.arange(24).reshape(2, 12).astype("int32") % 5
    _, maps = ke.hirescam(model, x, [0, 1], layer="half", **PLAIN)
    assert maps.shape == (2, 12, 1)
