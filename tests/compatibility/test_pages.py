"""The calls of the original package's pages, on a network whose maps are known.

The windows of the convolution do not overlap, so that derivatives can be written down.
The pages are those on explaining, gradients, SmoothGrad, Full-Gradient, Grad-CAM and
TTA-CAM; exposing is in `test_inspection`.
"""

import io

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import numpy, randomize

import keras_explainable as ke

SIDE, CHANNELS, FEATURES, UNITS = 8, 3, 4, 5
HALF = SIDE // 2
BACKEND = keras.backend.backend()
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((SIDE, SIDE, CHANNELS))
    x = layers.Conv2D(FEATURES, 2, strides=2, name="convolution")(inputs)
    x = layers.ReLU(name="post_relu")(x)
    x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
    model = keras.Model(inputs, layers.Dense(UNITS, name="predictions")(x))
    randomize(model)
    return model


@pytest.fixture
def images(rng):
    return rng.integers(0, 256, (3, SIDE, SIDE, CHANNELS), dtype=np.uint8)


@pytest.fixture
def inputs(images):
    return (images / 127.5 - 1).astype("float32")


@pytest.fixture
def explaining_units(model, inputs):
    logits = model.predict(inputs, verbose=0)
    indices = np.argsort(logits, axis=-1)[:, ::-1]
    return indices[:, :1]


class Known:
    """The values of the network, and the derivatives of its units, by hand."""

    def __init__(self, model, inputs, units):
        kernel, self.bias = map(numpy, model.get_layer("convolution").get_weights())
        weights, bias = map(numpy, model.get_layer("predictions").get_weights())
        self.inputs = inputs
        height, width = (side // 2 for side in inputs.shape[1:3])
        windows = inputs.reshape(-1, height, 2, width, 2, CHANNELS)
        z = np.einsum("bhywxc,yxcf->bhwf", windows, kernel) + self.bias
        self.activations, self.kernel = np.maximum(z, 0), weights[:, units[:, 0]].T
        self.logits = self.activations.mean(axis=(1, 2)) @ weights + bias
        self.logits = np.take_along_axis(self.logits, units, axis=1)
        self.at_relu = (self.kernel / height / width)[:, None, None] * np.ones_like(z)
        self.at_convolution = self.at_relu * (z > 0)
        gradient = np.einsum("bhwf,yxcf->bhywxc", self.at_convolution, kernel)
        self.gradient = gradient.reshape(inputs.shape)

    def gradients(self):
        return np.abs(self.gradient).mean(axis=-1, keepdims=True)

    def cam(self):
        weights = self.kernel[:, None, None]
        return (weights * self.activations).sum(axis=-1, keepdims=True)

    def gradcam(self):
        return self.cam() / HALF**2

    def gradcampp(self):
        g, axes = self.at_relu, (1, 2)
        total = (self.activations * g**3).sum(axis=axes, keepdims=True)
        alpha = g**2 / (2 * g**2 + total)
        weights = (alpha * np.maximum(g, 0)).sum(axis=axes, keepdims=True)
        return (weights * self.activations).sum(axis=-1, keepdims=True)

    def full_gradients(self):
        at_bias = self.at_convolution * self.bias
        terms = [shown(self.inputs * self.gradient), resized(shown(at_bias))]
        return sum(terms)


def shown(products):
    """Return the sum over channels of the absolute values, rescaled to 0..1."""
    values, axes = np.abs(products), (1, 2, 3)
    low = values.min(axis=axes, keepdims=True)
    span = values.max(axis=axes, keepdims=True) - low
    return ((values - low) / span).sum(axis=-1, keepdims=True)


def resized(maps):
    size = (SIDE, SIDE)
    maps = maps.astype("float32")
    return numpy(ops.image.resize(maps, size, data_format="channels_last"))


def normalized(maps):
    low = maps.min(axis=(1, 2), keepdims=True)
    span = maps.max(axis=(1, 2), keepdims=True) - low
    return (maps - low) / np.where(span, span, 1)


def positive(maps):
    return normalized(np.maximum(maps, 0))


@pytest.fixture
def known(model, inputs, explaining_units):
    return Known(model, inputs, explaining_units)


def drawn(*args, **params):
    return ke.utils.visualize(*args, to_buffer=io.BytesIO(), **params)


def test_explaining(model, images, inputs, explaining_units, known):
    _, g_maps = ke.gradients(model, inputs, explaining_units)

    logits = ke.inspection.get_logits_layer(model)
    inters, biases = ke.inspection.layers_with_biases(model, exclude=[logits])
    model_exp = ke.inspection.expose(model, inters, logits)
    _, fg_maps = ke.full_gradients(model_exp, inputs, explaining_units, biases=biases)

    model_exp = ke.inspection.expose(model)
    _, c_maps = ke.cam(model_exp, inputs, explaining_units)
    _, gc_maps = ke.gradcam(model_exp, inputs, explaining_units)
    _, gcpp_maps = ke.gradcampp(model_exp, inputs, explaining_units)
    _, sc_maps = ke.scorecam(model_exp, inputs, explaining_units)

    np.testing.assert_allclose(g_maps, normalized(known.gradients()), **CLOSE)
    expected = normalized(known.full_gradients())
    np.testing.assert_allclose(fg_maps, expected, **CLOSE)
    for maps, raw in (
        (c_maps, known.cam()),
        (gc_maps, known.gradcam()),
        (gcpp_maps, known.gradcampp()),
    ):
        np.testing.assert_allclose(maps, resized(positive(raw)), **CLOSE)
    scores = scores_of_channels(model, inputs, known, explaining_units)
    weighted = (scores[:, None, None] * known.activations).sum(axis=-1, keepdims=True)
    # Its weights are differences of logits, which round.
    expected = resized(positive(weighted))
    np.testing.assert_allclose(sc_maps, expected, rtol=1e-4, atol=3e-5)

    all_maps = (g_maps, fg_maps, c_maps, gc_maps, gcpp_maps, sc_maps)
    titles = "original Gradients Full-Grad CAM Grad-CAM Grad-CAM++ Score-CAM"
    overlays = sum(zip([None] * len(images), *all_maps, strict=True), ())
    repeated = images.repeat(1 + len(all_maps), axis=0)
    picture = drawn(repeated, titles.split(), overlays, cols=1 + len(all_maps))
    assert picture.size[0] > picture.size[1] > 0


def scores_of_channels(model, inputs, known, units):
    """Return the logits, less those of zeros, for inputs masked by each channel."""
    nothing = numpy(model(np.zeros_like(inputs)))
    scores = []
    for channel in range(FEATURES):
        mask = resized(known.activations[..., channel : channel + 1])
        scores.append(
            numpy(model((inputs * normalized(mask)).astype("float32"))) - nothing
        )
    chosen = np.stack(scores, axis=1)
    return np.take_along_axis(chosen, units[:, None], axis=-1)[..., 0]


def test_the_regular_form(model, inputs, explaining_units, known):
    model_exp = ke.inspection.expose(model)
    logits, cams = ke.explain(
        ke.methods.cams.gradcam,
        model_exp,
        inputs,
        explaining_units,
        batch_size=32,
        postprocessing=ke.filters.positive_normalize,
    )
    expected = positive(known.gradcam())
    np.testing.assert_allclose(logits, known.logits, **CLOSE)
    np.testing.assert_allclose(cams, resized(expected), **CLOSE)

    gradcam = ke.methods.cams.gradcam
    logits, cams = gradcam(model, inputs, explaining_units)
    cams = ke.filters.positive_normalize(cams)
    np.testing.assert_allclose(numpy(cams), expected, **CLOSE)


def test_gradients(model, images, inputs, explaining_units, known):
    logits, maps = ke.gradients(model, inputs, explaining_units)
    np.testing.assert_allclose(logits, known.logits, **CLOSE)
    np.testing.assert_allclose(maps, normalized(known.gradients()), **CLOSE)
    drawn([*images, *maps])
    _, absolute = ke.explain(
        ke.methods.gradient.gradients,
        model,
        inputs,
        explaining_units,
        postprocessing=ke.filters.absolute_normalize,
    )
    np.testing.assert_allclose(absolute, maps, **CLOSE)
    _, direct = ke.methods.gradient.gradients(model, inputs, explaining_units)
    direct = numpy(ke.filters.absolute_normalize(direct))
    np.testing.assert_array_almost_equal(maps, direct)


def test_gradients_of_all_units(model, inputs):
    _, maps = ke.gradients(model, inputs, postprocessing=None)
    for unit in range(UNITS):
        expected = Known(model, inputs, np.full((3, 1), unit)).gradients()
        np.testing.assert_allclose(maps[..., [unit]], expected, **CLOSE)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the page is for TensorFlow")
@pytest.mark.parametrize("jit_compile", [True, False])
def test_methods_compiled_by_the_user(model, inputs, explaining_units, jit_compile):
    import tensorflow as tf

    for name in ("gradients", "gradcam"):
        family = ke.methods.gradient if name == "gradients" else ke.methods.cams
        method = getattr(family, name)
        step = tf.function(method, reduce_retracing=True, jit_compile=jit_compile)
        _, expected = method(model, inputs, explaining_units)
        _, found = step(model, tf.constant(inputs, "float32"), explaining_units)
        np.testing.assert_allclose(numpy(found), numpy(expected), **CLOSE)


def linear():
    inputs = keras.Input((SIDE, SIDE, CHANNELS))
    x = layers.Flatten()(inputs)
    return keras.Model(inputs, layers.Dense(UNITS, activation="softmax")(x))


def test_smoothgrad_with_the_template(inputs, explaining_units):
    """The gradient of a linear network is the same for all noisy copies."""
    model, x, y = linear(), inputs, explaining_units
    model.layers[-1].activation = "linear"
    smoothgrad = ke.methods.meta.smooth(
        ke.methods.gradient.gradients, repetitions=10, noise=0.1
    )
    logits, maps = ke.explain(
        smoothgrad, model, x, y, batch_size=32, postprocessing=ke.filters.normalize
    )
    kernel, bias = map(numpy, model.layers[-1].get_weights())
    weights = kernel.T[y[:, 0]].reshape(x.shape)
    expected = np.abs(weights).mean(axis=-1, keepdims=True)
    np.testing.assert_allclose(maps, normalized(expected), **CLOSE)
    scores = (x.reshape(3, -1) * weights.reshape(3, -1)).sum(axis=1) + bias[y[:, 0]]
    np.testing.assert_allclose(logits[:, 0], scores, **CLOSE)


def test_smoothgrad_called_directly(images, inputs, explaining_units):
    model = linear()
    smoothgrad = ke.methods.meta.smooth(
        ke.methods.gradient.gradients, repetitions=20, noise=0.1
    )
    model = ke.inspection.logits_model(model)
    _, smoothed = smoothgrad(model, inputs, explaining_units)
    smoothed = numpy(ke.filters.absolute_normalize(smoothed))
    _, maps = ke.gradients(model, inputs, explaining_units)
    np.testing.assert_allclose(smoothed, maps, **CLOSE)
    drawn([*images, *maps, *smoothed])


def test_full_gradients(model, images, inputs, explaining_units, known):
    logits = ke.inspection.get_logits_layer(model)
    inters, biases = ke.inspection.layers_with_biases(model, exclude=[logits])
    model = ke.inspection.expose(model, inters, logits)
    expected = normalized(known.full_gradients())
    for params in ({"biases": biases}, {}):
        _, maps = ke.full_gradients(model, inputs, explaining_units, **params)
        np.testing.assert_allclose(maps, expected, **CLOSE)
    drawn(
        images=[*images, *maps, *images],
        overlays=[None] * (2 * len(images)) + [*maps],
    )


def test_grad_cam(model, images, inputs, explaining_units, known):
    model = ke.inspection.expose(model)
    scores, cams = ke.gradcam(model, inputs, explaining_units, batch_size=32)
    np.testing.assert_allclose(scores, known.logits, **CLOSE)
    np.testing.assert_allclose(cams, resized(positive(known.gradcam())), **CLOSE)
    drawn(
        images=[*images, *cams, *images],
        overlays=[None] * (2 * len(images)) + [*cams],
    )


def test_tta_cam(model, images, explaining_units):
    """An image of one colour has the same map whatever its size."""
    colours = np.random.default_rng(1).normal(size=(3, 1, 1, CHANNELS))
    inputs = np.broadcast_to(colours, (3, SIDE, SIDE, CHANNELS))
    exposed = ke.inspection.expose(model)
    ttacam = ke.methods.meta.tta(
        ke.methods.cams.cam, scales=[0.5, 1.0, 1.5, 2.0], hflip=True
    )
    _, cams = ke.explain(ttacam, exposed, inputs, explaining_units, batch_size=1)
    expected = Known(model, inputs, explaining_units).cam()
    np.testing.assert_allclose(cams, resized(expected), **CLOSE)
    drawn(
        images=[*images, *cams, *images],
        overlays=[None] * (2 * len(images)) + [*cams],
    )


@pytest.mark.parametrize("how", ["bilinear", "nearest"])
def test_how_tta_resizes(model, inputs, explaining_units, how):
    size = {"interpolation": how, "data_format": "channels_last"}
    exposed, cam = ke.inspection.expose(model), ke.methods.cams.cam
    half = ops.image.resize(inputs.astype("float32"), (HALF, HALF), **size)
    inner = [inputs, numpy(half)]
    maps = [Known(model, x, explaining_units).cam() for x in inner]
    maps = [ops.image.resize(x.astype("float32"), (SIDE, SIDE), **size) for x in maps]
    maps = [*map(numpy, maps)]
    tta = ke.methods.meta.tta(cam, [0.5], False, resize_method=how)
    _, found = tta(exposed, inputs, explaining_units)
    np.testing.assert_allclose(numpy(found), sum(maps) / 2, **CLOSE)


@pytest.mark.parametrize("resizing", [True, None, (3, 5)])
def test_one_step(model, inputs, explaining_units, known, resizing):
    """What `explain` does to a batch, as functions of the original's module."""
    explaining = ke.engine.explaining
    assert ke.explaining is explaining
    params = {"postprocessing": ke.filters.positive_normalize, "resizing": resizing}
    params["spatial_axis"] = ke.inspection.SPATIAL_AXIS
    data, method = (inputs, explaining_units), ke.methods.cams.gradcam
    logits, maps = explaining.explain_step(model, method, data, **params)
    step = explaining.make_explain_function(model, method, params, force=True)
    expected = positive(known.gradcam())
    if resizing is True:
        expected = resized(expected)
    if resizing == (3, 5):
        size = {"size": resizing, "data_format": "channels_last"}
        expected = numpy(ops.image.resize(expected.astype("float32"), **size))
    for found in (maps, step(iter([data]))[1]):
        np.testing.assert_allclose(numpy(found), expected, **CLOSE)
    np.testing.assert_allclose(numpy(logits), known.logits, **CLOSE)
    assert explaining.explain is ke.explain
    assert explaining.partial_explain is ke.partial_explain


def test_space_between_pictures(images):
    """A tenth of a panel's width and a half of its height, on each side of a gap."""
    wide = drawn([*images, images[0]], cols=2, subplots_ws=0.1, subplots_hs=0.5)
    plain = drawn([*images, images[0]], cols=2)
    across = (wide.size[0] - plain.size[0]) / 0.1
    down = (wide.size[1] - plain.size[1]) / 0.5
    np.testing.assert_allclose(across, down, rtol=0.02)  # Panels are square.
    assert plain.size[0] == pytest.approx(2 * across + 3 * 15, abs=20)
    with pytest.raises(ValueError, match="`subplots_ws` must be finite and at least 0"):
        drawn(images, subplots_ws=-1)
