"""Layers inside wrappers: found by name, exposed, and with maps of each frame."""

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import numpy, randomize

import keras_explainable as ke
from keras_explainable.methods.cams import cam, gradcam, hirescam
from keras_explainable.methods.gradient import full_gradients, guided_gradients

#: Maps at their own size.
OWN = {"resizing": None, "verbose": 0}

BATCH, FRAMES, SIDE = 2, 3, 8


def of_frames():
    return keras.Sequential(
        [
            keras.Input((SIDE, SIDE, 3)),
            layers.Rescaling(2.0),
            layers.Conv2D(4, 3, activation="relu", name="first"),
            layers.BatchNormalization(),
            layers.Conv2D(5, 3, strides=2, name="last"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, name="features"),
        ],
        name="of_frames",
    )


def video_model(over_time=None, frames=FRAMES):
    inputs = keras.Input((frames, SIDE, SIDE, 3))
    x = layers.Rescaling(0.5)(inputs)
    x = layers.TimeDistributed(of_frames(), name="wrapper")(x)
    x = (over_time or layers.GlobalAveragePooling1D())(x)
    model = keras.Model(inputs, layers.Dense(2)(x))
    randomize(model)
    return model


@pytest.fixture
def video(rng):
    return rng.normal(size=(BATCH, FRAMES, SIDE, SIDE, 3)).astype("float32")


def inside(model):
    return model.get_layer("wrapper").layer


@pytest.mark.parametrize("name", ["first", "last", "pool", "of_frames", "wrapper"])
def test_exposed_values_are_those_of_each_frame(name, video):
    model = video_model(layers.LSTM(4))
    outputs, values = ke.inspection.expose(model, name)(video)
    inner = inside(model)
    if name not in ("of_frames", "wrapper"):
        inner = keras.Model(inner.inputs[0], inner.get_layer(name).output)
    for t in range(FRAMES):
        expected = numpy(inner(video[:, t] * 0.5))
        np.testing.assert_allclose(numpy(values)[:, t], expected, atol=1e-5)
    np.testing.assert_allclose(numpy(outputs), numpy(model(video)), atol=1e-5)


@pytest.mark.parametrize("frames", [FRAMES, None])
@pytest.mark.parametrize("method", [cam, gradcam, hirescam])
def test_each_frame_has_a_map_with_weights_of_its_own(method, frames, video):
    model = video_model(frames=frames)
    _, maps = ke.explain(method, model, video, **OWN)
    one = keras.Input((SIDE, SIDE, 3))
    of_one = keras.Model(one, model.layers[-1](inside(model)(one * 0.5)))
    for t in range(FRAMES):
        _, expected = ke.explain(method, of_one, video[:, t], **OWN)
        assert expected.shape == (BATCH, 2, 2, 2)
        np.testing.assert_allclose(maps[:, t], expected / FRAMES, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("layer", [None, "last", "first"])
def test_maps_have_the_size_of_the_frames(layer, video):
    model = video_model(layers.LSTM(4))
    _, maps = ke.gradcam(model, video, [0, 1], layer=layer, verbose=0)
    assert maps.shape == (BATCH, FRAMES, SIDE, SIDE, 1)


def test_the_default_layer_is_the_last_with_spatial_output(video):
    model = video_model(layers.LSTM(4))
    _, maps = ke.explain(gradcam, model, video, **OWN)
    _, expected = ke.explain(gradcam, model, video, layer="last", **OWN)
    np.testing.assert_allclose(maps, expected, atol=1e-6)


def test_wrappers_within_wrappers(rng):
    inputs = keras.Input((2, FRAMES, SIDE, SIDE, 3))
    inner = layers.TimeDistributed(layers.Conv2D(2, 3, name="convolution"))
    x = layers.Flatten()(layers.TimeDistributed(inner)(inputs))
    model = keras.Model(inputs, layers.Dense(2)(x))
    x = rng.normal(size=(BATCH, 2, FRAMES, SIDE, SIDE, 3)).astype("float32")
    _, values = ke.inspection.expose(model, "convolution")(x)
    expected = numpy(inner.layer(x.reshape(-1, *x.shape[3:])))
    np.testing.assert_allclose(
        numpy(values).reshape(expected.shape), expected, atol=1e-5
    )
    maps = ke.gradcam(model, x, layer="convolution", verbose=0)[1]
    assert maps.shape == (*x.shape[:-1], 2)


def test_a_frame_that_may_be_masked_stays_within_its_wrapper(rng):
    inputs = keras.Input((FRAMES, 4))
    x = layers.TimeDistributed(layers.Dense(3, name="inner"), name="outer")(
        layers.Masking()(inputs)
    )
    model = keras.Model(inputs, layers.Dense(2)(layers.LSTM(4)(x)))
    with pytest.raises(ValueError, match=r"within 'outer' \(TimeDistributed\)"):
        ke.inspection.expose(model, "inner")
    x = rng.normal(size=(BATCH, FRAMES, 4)).astype("float32")
    x[:, -1] = 0
    outputs, _ = ke.inspection.expose(model, "outer")(x)
    np.testing.assert_allclose(numpy(outputs), numpy(model(x)), atol=1e-5)


def test_a_layer_that_only_its_wrapper_can_run_is_refused():
    inputs = keras.Input((FRAMES, 4))
    wrapper = layers.Bidirectional(layers.LSTM(3, name="inner"), name="outer")
    model = keras.Model(inputs, layers.Dense(2)(wrapper(inputs)))
    name = wrapper.forward_layer.name
    with pytest.raises(
        ValueError, match=r"within 'outer' \(Bidirectional\), which may"
    ):
        ke.inspection.expose(model, name)
    assert ke.inspection.get_nested_layer(model, name) is wrapper.forward_layer
    assert ke.inspection.get_nested_layer(model, "outer") is wrapper


def test_layers_within_wrappers_are_found():
    model = video_model()
    assert ke.inspection.get_nested_layer(model, "last") is inside(model).layers[3]
    found, _ = ke.inspection.layers_with_biases(model)
    assert {"first", "last", "features"} < {layer.name for layer in found}


def test_spectral_normalization_is_the_layer_that_it_wraps(rng):
    inputs = keras.Input((SIDE, SIDE, 3))
    convolution = layers.Conv2D(4, 3, activation="relu", name="convolution")
    wrapper = layers.SpectralNormalization(convolution, name="wrapper")
    top = layers.Dense(2, use_bias=False)
    x = layers.GlobalAveragePooling2D()(wrapper(inputs))
    model = keras.Model(inputs, top(x))
    randomize(model)
    x = rng.normal(size=(BATCH, SIDE, SIDE, 3)).astype("float32")
    maps = [
        ke.explain(gradcam, model, x, layer=layer, **OWN)[1]
        for layer in ("convolution", "wrapper", convolution)
    ]
    activations, weights = numpy(convolution(x)), numpy(top.kernel) / 36
    for each in maps:
        np.testing.assert_allclose(each, activations @ weights, rtol=1e-3, atol=1e-5)
    full = ke.methods.gradient.full_gradients
    logits, maps = ke.explain(full, model, x, psi=None, **OWN)
    np.testing.assert_allclose(maps.sum(axis=(1, 2)), logits, rtol=1e-3, atol=1e-4)


def rectified():
    """A model of a frame with ReLUs of all forms."""
    body = [
        keras.Input((SIDE, SIDE, 3)),
        layers.Conv2D(4, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.ReLU(6),
        layers.Conv2D(4, 3),
        layers.Activation("relu"),
        layers.GlobalAveragePooling2D(),
    ]
    return keras.Sequential(body)


@pytest.fixture
def rectified_video():
    inputs = keras.Input((FRAMES, SIDE, SIDE, 3))
    x = layers.TimeDistributed(layers.Conv2D(3, 1, activation="relu"))(inputs)
    x = layers.TimeDistributed(rectified(), name="wrapper")(x)
    x = layers.Dense(2, use_bias=False)(layers.GlobalAveragePooling1D()(x))
    model = keras.Model(inputs, x)
    randomize(model)
    return model


def test_relus_on_frames_are_guided(rectified_video, video):
    model, one = rectified_video, keras.Input((SIDE, SIDE, 3))
    x = inside(model)(model.layers[1].layer(one))
    of_one = keras.Model(one, model.layers[-1](x))
    _, maps = ke.explain(guided_gradients, model, video, **OWN)
    for t in range(FRAMES):
        _, expected = ke.explain(guided_gradients, of_one, video[:, t], **OWN)
        np.testing.assert_allclose(maps[:, t], expected / FRAMES, rtol=1e-3, atol=1e-6)


def test_full_gradients_with_biases_on_frames_add_up(rectified_video, video):
    options = {"psi": None, "verbose": 0}
    logits, maps = ke.explain(full_gradients, rectified_video, video, **options)
    np.testing.assert_allclose(maps.sum((1, 2, 3)), logits, rtol=1e-3, atol=1e-5)


def test_an_image_that_a_recurrent_convolution_makes_of_frames(rng):
    """Its maps have no axis of time, and add up to the unit of a linear head."""
    inputs = keras.Input((3, 4, 5, 2))
    x = layers.ConvLSTM2D(2, 3, padding="same")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    x = rng.normal(size=(2, 3, 4, 5, 2)).astype("float32")
    logits, maps = ke.hirescam(model, x, [0, 1], verbose=0, postprocessing=None)
    assert maps.shape == (2, 4, 5, 1)
    np.testing.assert_allclose(maps.sum((1, 2)), logits, rtol=1e-4, atol=1e-5)


def test_frames_whose_rows_are_flattened_are_no_image():
    inputs = keras.Input((3, 4, 5, 2))
    x = layers.Conv2D(2, 3, name="c")(layers.Reshape((3, 20, 2))(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    with pytest.raises(ValueError, match="must have an output of tokens"):
        ke.hirescam(model, np.ones((1, 3, 4, 5, 2), "float32"), [0], verbose=0)
