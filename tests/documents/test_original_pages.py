"""Other pages of the original package's documentation, written for this one.

Grad-CAM, Full-Gradient, TTA-CAM and the overview of all methods, each as its steps
stand there; the networks are smaller.
"""

import io
import logging

import keras
import numpy as np
import pytest
from keras import layers

import keras_explainable as ke

SIZE, UNITS = 32, 7
BACKEND = keras.backend.backend()


@pytest.fixture(scope="module")
def model():
    """Made for one size, with the names of `keras.applications`."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(inputs)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(16, 3, strides=2, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    return keras.Model(inputs, layers.Dense(UNITS, name="predictions")(x))


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (2, SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def inputs(images):
    return images / 127.5 - 1


@pytest.fixture
def units(model, inputs):
    logits = model.predict(inputs, verbose=0)
    return np.argsort(logits, axis=-1)[:, ::-1][:, :1]


@pytest.fixture
def show(monkeypatch):
    """Draws, but opens no window."""

    def visualize(*args, **params):
        ke.utils.visualize(*args, to_buffer=io.BytesIO(), **params)

    return visualize


def test_grad_cam(model, images, inputs, units, show):
    model = ke.inspection.expose(model)
    _, cams = ke.gradcam(model, inputs, units, verbose=0)
    show(
        images=[*images, *cams, *images],
        overlays=[None] * (2 * len(images)) + [*cams],
    )


def test_full_gradients(model, images, inputs, units, show):
    logits = ke.inspection.get_logits_layer(model)
    inters, biases = ke.inspection.layers_with_biases(model, exclude=[logits])
    exposed = ke.inspection.expose(model, inters, logits)
    _, maps = ke.explain(
        ke.methods.gradient.full_gradients,
        exposed,
        inputs,
        units,
        biases=biases,
        postprocessing=ke.filters.normalize,
        verbose=0,
    )
    _, expected = ke.full_gradients(exposed, inputs, units, verbose=0)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-5)
    show(sum(zip(images, maps, strict=True), ()), cols=4)


def test_tta_cam(model, images, inputs, units, show):
    exposed = ke.inspection.expose(model)
    tta_gradcam = ke.methods.meta.tta(
        ke.methods.cams.gradcam, scales=[0.5, 1.0, 1.5, 2.0], hflip=True
    )
    _, cams = ke.explain(tta_gradcam, exposed, inputs, units, verbose=0)
    overlays = cams.clip(0.0, 1.0).transpose((3, 0, 1, 2)).reshape(-1, SIZE, SIZE, 1)
    show(images, overlays=overlays, cols=4)


def test_the_overview(model, images, inputs, units, show):
    names = ["gradients", "cam", "gradcam", "gradcampp", "scorecam"]
    exposed = ke.inspection.expose(model)
    all_maps = [
        getattr(ke, name)(
            model if name == "gradients" else exposed, inputs, units, verbose=0
        )[1]
        for name in names
    ]
    columns = 1 + len(all_maps)
    show(
        images.repeat(columns, axis=0),
        ["original", *names],
        sum(zip([None] * len(images), *all_maps, strict=True), ()),
        cols=columns,
    )


@pytest.fixture
def said(caplog):
    """What TensorFlow warns of."""
    logging.getLogger("tensorflow").addHandler(caplog.handler)
    yield caplog.messages
    logging.getLogger("tensorflow").removeHandler(caplog.handler)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the page is for TensorFlow")
def test_methods_called_directly(model, inputs, units, said):
    """Nothing is said of code that TensorFlow cannot transform."""
    import tensorflow as tf

    _, expected = ke.methods.cams.gradcam(model, inputs, units)
    gradcam = tf.function(ke.methods.cams.gradcam, reduce_retracing=True)
    _, cams = gradcam(model, inputs, units)
    np.testing.assert_allclose(cams, expected, rtol=1e-4, atol=1e-5)
    cams = tf.image.resize(ke.filters.positive_normalize(cams), (64, 64)).numpy()
    assert cams.shape == (2, 64, 64, 1)
    assert said == []


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow")
def test_many_methods_are_not_said_to_be_traced_too_often(model, inputs, units, said):
    for name in ("gradients", "full_gradients", "gradcam", "hirescam", "layercam"):
        for count in (1, 2):
            getattr(ke, name)(model, inputs[:count], units[:count], verbose=0)
    assert said == []
