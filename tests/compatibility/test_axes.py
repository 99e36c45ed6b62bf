"""`indices_axis`, `indices_batch_dims` and `spatial_axis`, with answers known."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy, randomize

import keras_explainable as ke
from keras_explainable.methods import cams, gradient, meta

SIZE, UNITS = (4, 6, 2), 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, *SIZE)).astype("float32")
Y = np.array([[0, 3], [1, 1], [4, 2]])
VIDEOS = RNG.normal(size=(2, 3, *SIZE)).astype("float32")
OF_VIDEOS = RNG.integers(0, UNITS, (2, 3, 2))


def image_network(end=None):
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(3, 2, strides=2, activation="tanh", name="half")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(UNITS, activation=end, name="logits")(x))
    randomize(model)
    return model


@pytest.fixture(scope="module")
def images():
    return image_network()


METHODS = {
    "gradients": gradient.gradients,
    "full_gradients": gradient.full_gradients,
    "input_x_gradient": gradient.input_x_gradient,
    "cam": cams.cam,
    "gradcam": cams.gradcam,
    "scorecam": cams.scorecam,
    "smooth": meta.smooth(gradient.gradients, 2, 0.0),
    "tta": meta.tta(cams.gradcam, (), True),
}


@pytest.mark.parametrize("name", METHODS)
def test_spatial_axes_of_images(images, name):
    method = METHODS[name]
    expected = numpy(method(images, X, Y)[1])
    for spatial in ((-3, -2), (1, 2), [2, 1]):
        logits, maps = method(images, X, Y, spatial_axis=spatial)
        np.testing.assert_allclose(numpy(maps), expected, rtol=1e-5, atol=1e-7)
    assert logits.shape == (3, 2)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("spatial", [(-3, -2), (2, 3)])
def test_videos_for_a_network_of_images(images, name, spatial):
    """Every frame has the map that it has on its own."""
    method, frames = METHODS[name], VIDEOS.reshape(6, *SIZE)
    logits, expected = map(numpy, method(images, frames, OF_VIDEOS.reshape(6, 2)))
    found = method(images, VIDEOS, OF_VIDEOS, spatial_axis=spatial)
    np.testing.assert_allclose(numpy(found[0]), logits.reshape(2, 3, 2), rtol=1e-5)
    shape = (2, 3, *expected.shape[1:])
    np.testing.assert_allclose(
        numpy(found[1]), expected.reshape(shape), rtol=1e-5, atol=1e-7
    )


def test_explaining_videos_with_a_network_of_images():
    model, frames = image_network("softmax"), VIDEOS.reshape(6, *SIZE)
    options = {"verbose": 0, "batch_size": 4}
    expected = ke.gradcam(model, frames, OF_VIDEOS.reshape(6, 2), **options)
    found = ke.gradcam(model, VIDEOS, OF_VIDEOS, spatial_axis=(-3, -2), **options)
    for part, whole in zip(found, expected, strict=True):
        np.testing.assert_allclose(part.reshape(whole.shape), whole, atol=1e-6)
    assert found[1].shape == (2, 3, *SIZE[:2], 2)
    _, every = ke.gradcam(model, VIDEOS, spatial_axis=(-3, -2), **options)
    assert every.shape == (2, 3, *SIZE[:2], UNITS)


@pytest.fixture(scope="module")
def videos(images):
    """The network of images on each frame of three, with units (B, 3, units)."""
    inputs = keras.Input((3, *SIZE))
    return keras.Model(inputs, layers.TimeDistributed(images)(inputs))


@pytest.mark.parametrize(
    "y", [lambda outputs: outputs["cls"][:, 1], ke.targets.output("cls")]
)
def test_functions_are_given_what_the_model_returns(y):
    model = image_network("softmax")
    model = keras.Model(
        model.input, {"age": layers.Dense(1)(model.output)} | {"cls": model.output}
    )
    expected = ke.gradients(model, VIDEOS.reshape(6, *SIZE), y, verbose=0)
    found = ke.gradients(model, VIDEOS, y, spatial_axis=(-3, -2), verbose=0)
    for part, whole in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, whole.reshape(part.shape))


@pytest.mark.parametrize("name", ["smoothgrad", "smoothgrad_squared", "vargrad"])
def test_shortcuts_that_sample_take_axes(images, name):
    options = {"repetitions": 2, "verbose": 0}
    found = getattr(ke, name)(
        images, VIDEOS, OF_VIDEOS, spatial_axis=(-3, -2), **options
    )
    flat = VIDEOS.reshape(6, *SIZE), OF_VIDEOS.reshape(6, 2)
    expected = getattr(ke, name)(images, *flat, **options)
    for part, whole in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, whole.reshape(part.shape))


@pytest.mark.parametrize("batch_dims", [-1, 2])
@pytest.mark.parametrize("name", ["gradients", "gradcam", "cam", "smooth"])
def test_videos_for_a_network_of_videos(images, videos, name, batch_dims):
    method, frames = METHODS[name], VIDEOS.reshape(6, *SIZE)
    logits, expected = map(numpy, method(images, frames, OF_VIDEOS.reshape(6, 2)))
    params = {"spatial_axis": (-3, -2), "indices_batch_dims": batch_dims}
    found = [*map(numpy, method(videos, VIDEOS, OF_VIDEOS, **params))]
    np.testing.assert_allclose(found[0], logits.reshape(2, 3, 2), rtol=1e-5)
    shape = (2, 3, *expected.shape[1:])
    np.testing.assert_allclose(found[1], expected.reshape(shape), rtol=1e-4, atol=1e-6)


def test_explaining_a_network_of_videos(images, videos):
    """Each frame is normalised on its own, and as large as the input."""
    frames, params = VIDEOS.reshape(6, *SIZE), {"verbose": 0}
    _, expected = ke.gradcam(images, frames, OF_VIDEOS.reshape(6, 2), **params)
    logits, maps = ke.gradcam(
        videos, VIDEOS, OF_VIDEOS, spatial_axis=(-3, -2), **params
    )
    assert logits.shape == (2, 3, 2)
    assert maps.shape == (2, 3, *SIZE[:2], 2)
    np.testing.assert_allclose(maps.reshape(expected.shape), expected, atol=1e-5)


def test_volumes():
    inputs = keras.Input((4, 4, 6, 1))
    x = layers.GlobalAveragePooling3D()(layers.Conv3D(2, 2, strides=2)(inputs))
    model = keras.Model(inputs, layers.Dense(3)(x))
    x = RNG.normal(size=(2, 4, 4, 6, 1)).astype("float32")
    for name in ("gradients", "gradcam"):
        expected = numpy(METHODS[name](model, x, [0, 2])[1])
        for spatial in ((1, 2, 3), (-4, -3, -2)):
            _, maps = METHODS[name](model, x, [0, 2], spatial_axis=spatial)
            np.testing.assert_allclose(numpy(maps), expected, rtol=1e-5)
            shortcut = getattr(ke, name)
            _, maps = shortcut(model, x, [0, 2], spatial_axis=spatial, verbose=0)
            assert maps.shape == (2, 4, 4, 6, 1)


def test_units_along_another_axis():
    """f[b, u, t] = sum_i w[i, u, t] x[b, i]: the maps are the weights."""
    inputs = keras.Input((2, 2, 1))
    x = layers.Dense(6, use_bias=False, name="d")(layers.Flatten()(inputs))
    model = keras.Model(inputs, layers.Reshape((3, 2))(x))
    kernel = numpy(model.get_layer("d").kernel).reshape(2, 2, 3, 2)
    x, y = RNG.normal(size=(2, 2, 2, 1)).astype("float32"), np.array([[2], [0]])
    signed = {"gradient_filter": None, "verbose": 0}
    every = numpy(model(x))
    for axis in (1, -2):
        params = {"indices_axis": axis, **signed}
        logits, maps = ke.explain(gradient.gradients, model, x, y, **params)
        assert logits.shape == (2, 1, 2)
        expected = kernel[:, :, y].transpose(2, 0, 1, 3, 4)
        np.testing.assert_allclose(maps, expected, rtol=1e-5)
        np.testing.assert_allclose(logits, every[[0, 1], y[:, 0]][:, None], rtol=1e-4)
    # The same units of all inputs, along the last axis.
    params = {"indices_batch_dims": 0, **signed}
    _, maps = ke.explain(gradient.gradients, model, x, np.array([1, 0]), **params)
    assert maps.shape == (2, 2, 2, 3, 2)
    np.testing.assert_allclose(maps[1], kernel[..., ::-1], rtol=1e-5)


@pytest.mark.parametrize("spatial", [None, ()])
def test_units_along_another_axis_of_tables(spatial):
    inputs = keras.Input((4,))
    dense = layers.Dense(6)
    model = keras.Model(inputs, layers.Reshape((3, 2))(dense(inputs)))
    x, y = RNG.normal(size=(2, 4)).astype("float32"), np.array([[2], [0]])
    params = {"indices_axis": 1, "spatial_axis": spatial, "postprocessing": None}
    given = {"gradient_filter": None, "verbose": 0} | params
    _, maps = ke.gradients(model, x, y, **given)
    kernel = numpy(dense.kernel).reshape(4, 3, 2)
    np.testing.assert_allclose(maps, kernel[:, y].transpose(1, 0, 2, 3), rtol=1e-5)


def test_a_label_of_each_token():
    inputs = keras.Input((5,), dtype="int32")
    embedding = layers.Embedding(9, 3)
    x = layers.Conv1D(4, 3, padding="same", activation="tanh")(embedding(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    tokens, tags = RNG.integers(0, 9, (2, 5)), RNG.integers(0, 2, (2, 5))
    given = {"postprocessing": None, "verbose": 0}
    _, maps = ke.gradients(
        model, tokens, tags[..., None], indices_batch_dims=2, **given
    )
    assert maps.shape == (2, 5, 5, 1)
    for step in range(5):

        def at(outputs, step=step):
            return outputs[:, step]

        every = ke.gradients(model, tokens, at, **given).maps
        expected = np.take_along_axis(every, tags[:, None, step, None], axis=-1)
        np.testing.assert_allclose(maps[:, :, step], expected, rtol=1e-4, atol=1e-6)


def test_axes_by_position(images):
    expected = numpy(cams.cam(images, X, Y)[1])
    _, maps = cams.cam(images, X, Y, -1, -1, (-3, -2))
    np.testing.assert_allclose(numpy(maps), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"spatial_axis": (1, 3)}, "`spatial_axis` must be the axes between"),
        (
            {"spatial_axis": (2,)},
            "`x` must have the axes|`indices",
        ),
        ({"indices_axis": 0}, "`indices_axis`, `indices_batch_dims` and"),
    ],
)
def test_axes_that_do_not_fit(images, params, message):
    for call in (gradient.gradients, ke.gradients):
        with pytest.raises(ValueError, match=message):
            call(images, X, Y, **params)


@pytest.mark.parametrize(
    ("shape", "indices", "axis", "batch_dims"),
    [
        ((2, 5), (2, 3), -1, -1),
        ((2, 4, 5), (2, 3), -1, 1),
        ((2, 4, 5), (2, 4, 3), -1, -1),
        ((2, 5, 4), (2, 3), 1, 1),
        ((2, 5, 4), (2, 3, 2), 1, 1),
        ((2, 5), (3,), -1, -1),
        ((5, 4), (3,), 0, 0),
        ((2, 4, 3, 5), (2, 4, 2), 3, 2),
    ],
)
def test_gathering(shape, indices, axis, batch_dims):
    """As the operation of TensorFlow does, here by loops over all entries."""
    values = RNG.normal(size=shape).astype("float32")
    y = RNG.integers(0, shape[axis], indices)
    batch, at = batch_dims % (len(indices) + 1), axis % len(shape)
    batch = batch_dims if batch_dims >= 0 else len(indices) + batch_dims
    expected = np.zeros(shape[:at] + indices[batch:] + shape[at + 1 :], "float32")
    for place in np.ndindex(expected.shape):
        inner = len(indices) - batch
        unit = y[place[:batch] + place[at : at + inner]]
        expected[place] = values[(*place[:at], unit, *place[at + inner :])]
    found = ke.inspection.gather_units(values, y, axis, batch_dims)
    np.testing.assert_allclose(numpy(found), expected)


def test_gathering_all_or_none_that_exists():
    values = ops.ones((2, 5))
    assert ke.inspection.gather_units(values, None) is values
    for wrong in ([5], [-1], [[5], [0]]):
        with pytest.raises(ValueError, match="`indices` must be units of the model"):
            ke.inspection.gather_units(values, wrong)
    with pytest.raises(ValueError, match="`axis` and `batch_dims` must be axes"):
        ke.inspection.gather_units(ops.ones((2, 5, 1)), [[0]], 1, 1)
