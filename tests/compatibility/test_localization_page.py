"""The calls of the original package's page on localisation, for many labels at once.

The last layers are a convolution without spatial extent and the pooling of its output,
so that class activation maps can be written down.
"""

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import numpy, randomize

import keras_explainable as ke
from keras_explainable import filters

SIZE, CLASSES = 12, 5


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((None, None, 3), name="inputs")
    x = layers.Conv2D(6, 2, strides=2)(inputs)
    x = layers.Activation("relu", name="s5_ac")(x)
    x = layers.Conv2D(CLASSES, 1, use_bias=False, name="classes")(x)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    model = keras.Model(inputs, layers.Activation("sigmoid")(x))
    randomize(model)
    return model


@pytest.fixture
def inputs(rng):
    return rng.normal(size=(3, SIZE, SIZE, 3)).astype("float32")


def maps_of_classes(model, inputs):
    """Return the class activation maps of every class, (N, h, w, classes)."""
    return numpy(keras.Model(model.input, model.get_layer("classes").output)(inputs))


def as_pictures(maps):
    found = keras.ops.image.resize(filters.positive_normalize(maps), (SIZE, SIZE))
    return numpy(found)


def test_a_map_for_every_class(model, inputs):
    exposed = ke.inspection.expose(model, "s5_ac", "avg_pool")
    logits, cams = ke.cam(exposed, inputs, batch_size=4, verbose=0)
    expected = maps_of_classes(model, inputs)
    np.testing.assert_allclose(cams, as_pictures(expected), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logits, expected.mean(axis=(1, 2)), rtol=1e-4, atol=1e-5)
    outputs = model.predict(inputs, verbose=0)
    np.testing.assert_allclose(outputs, 1 / (1 + np.exp(-logits)), rtol=1e-4)


def test_maps_over_scales_and_mirror_images(model, inputs):
    exposed = ke.inspection.expose(model, "s5_ac", "avg_pool")
    method = ke.methods.meta.tta(
        ke.methods.cams.cam, scales=[0.5, 1.0, 1.5, 2.0], hflip=True
    )
    _, cams = ke.explain(
        method,
        exposed,
        inputs,
        batch_size=4,
        postprocessing=filters.positive_normalize,
        verbose=0,
    )
    total = np.zeros((3, SIZE, SIZE, CLASSES))
    for scale in (1.0, 0.5, 1.5, 2.0):
        side = int(scale * SIZE)
        for step in (1, -1):
            scaled = numpy(keras.ops.image.resize(inputs, (side, side)))[:, :, ::step]
            found = maps_of_classes(model, scaled)[:, :, ::step]
            total += numpy(keras.ops.image.resize(found, (SIZE, SIZE)))
    expected = numpy(filters.positive_normalize(total / 8))
    np.testing.assert_allclose(cams, expected, rtol=1e-3, atol=1e-4)


def test_maps_become_labels_and_boxes(model, inputs):
    probabilities = model.predict(inputs, verbose=0)
    _, cams = ke.cam(model, inputs, verbose=0)
    found = probabilities > np.median(probabilities)
    labels = ke.utils.label_map(cams, 0.5, units=found)
    expected = np.where(found[:, None, None], cams, 0)
    largest = expected.argmax(axis=-1) + 1
    np.testing.assert_array_equal(labels, largest * (expected.max(axis=-1) > 0.5))
    one = cams[0, ..., cams[0].max(axis=(0, 1)).argmax()]
    top, left, bottom, right = ke.utils.bounding_boxes(one)[0]
    assert (one[top:bottom, left:right] > 0.5).any()


def test_a_resnet_has_maps_of_the_sizes_of_the_original():
    model = keras.applications.ResNet50V2(weights=None, input_shape=(64, 64, 3))
    exposed = ke.inspection.expose(model)
    assert [tuple(x.shape) for x in exposed.outputs] == [
        (None, 1000),
        (None, 2, 2, 2048),
    ]
    x, units = np.zeros((1, 64, 64, 3), "float32"), np.int32([[1, 5]])
    for method in (ke.cam, ke.gradcam):
        logits, maps = method(exposed, x, units, batch_size=1, verbose=0)
        assert (logits.shape, maps.shape) == ((1, 2), (1, 64, 64, 2))
        logits, maps = getattr(ke.methods.cams, method.__name__)(exposed, x, units)
        assert (tuple(logits.shape), tuple(maps.shape)) == ((1, 2), (1, 2, 2, 2))
