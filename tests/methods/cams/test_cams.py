"""Class activation maps, against their formulas in NumPy."""

import keras
import numpy as np
import pytest
from keras import layers
from support.small_models import numpy, randomize

import keras_explainable as ke
from keras_explainable.common.interpolation import interpolation_weights
from keras_explainable.methods.cams import (
    cam,
    gradcam,
    gradcampp,
    hirescam,
    layercam,
    scorecam,
)

#: Maps at their own size.
OWN = {"resizing": None, "verbose": 0}

UNITS = np.array([[0, 3], [2, 2]])
BY_GRADIENT = [cam, gradcam, gradcampp, hirescam, layercam]


def batch(side=9):
    shape = (2, side, side, 3)
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def head(x, hidden=None):
    x = layers.Dropout(0.3)(layers.GlobalAveragePooling2D(name="pool")(x))
    if hidden:
        x = layers.Dense(6, activation=hidden)(x)
    return layers.Dense(4, name="predictions", activation="softmax")(x)


def network(hidden=None, side=9):
    inputs = keras.Input((side, side, 3))
    x = layers.Conv2D(5, 3, padding="same", name="first")(inputs)
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    x = layers.Conv2D(6, 3, strides=2, activation="relu", name="last")(x)
    model = keras.Model(inputs, head(x, hidden))
    randomize(model)
    return model


def nested():
    """Build a model with a backbone two levels deep."""
    inner = network()
    backbone = keras.Model(inner.input, inner.get_layer("last").output, name="backbone")
    inputs = keras.Input((9, 9, 3))
    middle = keras.Sequential([keras.Input((9, 9, 3)), backbone], name="middle")
    model = keras.Model(inputs, head(middle(inputs)))
    randomize(model)
    return model


def parts(model, name="last"):
    """Return activations (B, h, w, C) and weights of the units (B, K, C)."""
    inner = keras.Model(model.input, model.get_layer(name).output)
    kernel = numpy(model.get_layer("predictions").kernel)
    return numpy(inner(batch())), kernel.T[UNITS]


def expected(method, activations, weights):
    size = np.prod(activations.shape[1:3])
    gradients = np.broadcast_to(
        weights[:, :, None, None] / size, (2, 2, *activations.shape[1:])
    )
    a = activations[:, None]
    if method is gradcampp:
        below = 2 * gradients**2 + (a * gradients**3).sum(axis=(2, 3), keepdims=True)
        alpha = gradients**2 / below
        factors = (alpha * np.maximum(gradients, 0)).sum(axis=(2, 3), keepdims=True)
    else:
        factors = {
            cam: size * gradients,
            gradcam: gradients,
            hirescam: gradients,
            layercam: np.maximum(gradients, 0),
        }[method]
    return np.moveaxis((factors * a).sum(axis=-1), 1, -1)


@pytest.mark.parametrize("method", BY_GRADIENT)
def test_the_formula(method):
    model = network()
    logits, maps = ke.explain(method, model, batch(), UNITS, **OWN)
    wanted = expected(method, *parts(model))
    np.testing.assert_allclose(maps, wanted, rtol=1e-3, atol=1e-5)
    if method is cam:  # It adds up to the logit without its bias.
        bias = numpy(model.get_layer("predictions").bias)[UNITS]
        total = maps.mean(axis=(1, 2)) + bias
        np.testing.assert_allclose(total, logits, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", [gradcam, hirescam])
def test_gradients_within_a_deeper_network(method):
    """They agree with finite differences of the part after the layer."""
    model, name = network(hidden="tanh"), "norm"
    layer = model.get_layer(name).output
    below = keras.Model(model.input, layer)
    logits = ke.inspection.logits_model(keras.Model(layer, model.output))
    activations = numpy(below(batch()))
    gradients = np.zeros((2, *activations.shape[1:], 2))
    for place in np.ndindex(activations.shape[1:]):
        step = np.zeros(activations.shape, "float32")
        step[(slice(None), *place)] = 1e-2
        change = numpy(logits(activations + step)) - numpy(logits(activations - step))
        gradients[(slice(None), *place)] = np.take_along_axis(change, UNITS, 1) / 2e-2
    if method is gradcam:
        gradients = gradients.mean(axis=(1, 2), keepdims=True)
    wanted = (gradients * activations[..., None]).sum(axis=3)
    _, maps = ke.explain(method, model, batch(), UNITS, layer=name, **OWN)
    size = np.abs(wanted).max()
    np.testing.assert_allclose(maps, wanted, atol=0.03 * size)


@pytest.mark.parametrize("layer", ["first", "norm", "last"])
@pytest.mark.parametrize("method", [gradcam, scorecam])
def test_any_layer_even_if_the_lowered_copy_folds_it(method, layer):
    model = network()
    _, maps = ke.explain(method, model, batch(), UNITS, layer=layer, **OWN)
    _, plain = ke.explain(
        method, model, batch(), UNITS, layer=layer, lower=False, **OWN
    )
    alone = method(ke.inspection.logits_model(model), batch(), UNITS, layer=layer)[1]
    chosen = model.get_layer(layer)
    _, by_object = ke.explain(method, model, batch(), UNITS, layer=chosen, **OWN)
    for other in (plain, numpy(alone), by_object):
        np.testing.assert_allclose(other, maps, rtol=1e-3, atol=1e-4)
    assert maps.shape == (2, *chosen.output.shape[1:3], 2)


@pytest.mark.parametrize("layer", [None, "last", "backbone", "middle"])
def test_layers_of_nested_models(layer):
    model = nested()
    logits, maps = ke.explain(gradcam, model, batch(), UNITS, layer=layer, **OWN)
    assert maps.shape == (2, 4, 4, 2)
    bias = numpy(model.get_layer("predictions").bias)[UNITS]
    total = maps.sum(axis=(1, 2)) + bias  # The head is linear.
    np.testing.assert_allclose(total, logits, rtol=1e-3, atol=1e-4)


def test_models_exposed_by_hand():
    model = network()
    _, expected_maps = ke.gradcam(model, batch(), UNITS, verbose=0)
    ours = ke.inspection.expose(model, "last", "predictions")
    theirs = keras.Model(model.input, [model.output, model.get_layer("last").output])
    before = ke.inspection.expose(
        model, {"name": "pool", "link": "input"}, "predictions"
    )
    for exposed in (ours, theirs, before):
        _, maps = ke.gradcam(exposed, batch(), UNITS, verbose=0)
        np.testing.assert_allclose(maps, expected_maps, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("method", [gradcam, ke.methods.cams.scorecam])
def test_a_layer_that_is_named_replaces_an_exposed_one(method):
    model = network()
    exposed = ke.inspection.expose(model, "first")
    expected = ke.explain(method, model, batch(), UNITS, layer="last", **OWN)
    for lower in (True, False):
        options = {"layer": "last", "lower": lower, **OWN}
        _, maps = ke.explain(method, exposed, batch(), UNITS, **options)
        np.testing.assert_allclose(maps, expected[1], rtol=1e-3, atol=1e-4)
    other = ke.inspection.expose(model, "last")
    found, same = (method(x, batch(), UNITS, layer="last") for x in (exposed, other))
    np.testing.assert_allclose(numpy(found[1]), numpy(same[1]), rtol=1e-3, atol=1e-4)


def test_score_cam_by_its_definition():
    model = network()
    activations, _ = parts(model)
    logits = ke.inspection.logits_model(model)
    nothing = numpy(logits(np.zeros((1, 9, 9, 3), "float32")))[0]
    wanted = np.zeros((2, *activations.shape[1:3], 2))
    for channel in range(activations.shape[-1]):
        masks = activations[..., channel : channel + 1]
        masks = keras.ops.image.resize(masks, (9, 9), data_format="channels_last")
        masks = numpy(masks)
        low, high = (f(masks, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
        masks = (masks - low) / np.where(high > low, high - low, 1)
        scores = numpy(logits(batch() * masks)) - nothing
        chosen = np.take_along_axis(scores, UNITS, 1)[:, None, None]
        wanted += chosen * activations[..., channel, None]
    for rows in (1, 5, 32):
        _, maps = scorecam(logits, batch(), UNITS, rows=rows)
        np.testing.assert_allclose(numpy(maps), wanted, rtol=1e-3, atol=1e-4)


def test_score_cam_reports_its_progress():
    reports = []
    scorecam(
        network(), batch(), UNITS, rows=5, progress=lambda *done: reports.append(done)
    )
    assert reports[-1] == (12, 12)
    assert len(reports) == 3


def test_cam_needs_a_linear_head():
    with pytest.raises(ValueError, match=r"linear function.*in between"):
        cam(network(hidden="relu"), batch(), UNITS)
    inputs = keras.Input((4, 4, 3))
    flat = keras.Model(inputs, layers.Dense(4)(layers.Flatten()(inputs * 1)))
    with pytest.raises(ValueError, match="no such pooling"):
        cam(flat, np.ones((2, 4, 4, 3)), UNITS)


def test_cam_of_functions_that_are_linear():
    model = network()
    options = {**OWN, "postprocessing": None}
    _, maps = ke.cam(model, batch(), [[0, 2], [0, 2]], **options)
    _, found = ke.cam(model, batch(), ke.targets.contrast(0, 2), **options)
    np.testing.assert_allclose(found[..., 0], maps[..., 0] - maps[..., 1], atol=1e-5)
    for bent in (keras.ops.relu, keras.ops.tanh, lambda y: keras.ops.max(y, axis=-1)):
        with pytest.raises(ValueError, match="with 'y' in between"):
            ke.cam(model, batch(), bent, logits=True, verbose=0)


@pytest.mark.parametrize(
    "pool",
    [
        lambda x: keras.ops.mean(x, axis=(1, 2)),
        layers.Lambda(lambda x: keras.ops.mean(keras.ops.mean(x, axis=2), axis=1)),
        lambda x: layers.GlobalAveragePooling1D()(layers.Reshape((-1, 5))(x)),
    ],
)
def test_cam_of_averages_that_are_no_layer_of_keras(pool):
    inputs = keras.Input((9, 9, 3))
    convolution, dense = layers.Conv2D(5, 3, activation="tanh"), layers.Dense(4)
    x = convolution(inputs)
    model = keras.Model(inputs, dense(pool(x)))
    _, maps = ke.cam(model, batch(), [1, 2], layer=x, postprocessing=None, **OWN)
    values, weights = numpy(convolution(batch())), numpy(dense.kernel)[:, [1, 2]].T
    expected = (values * weights[:, None, None]).sum(-1)
    np.testing.assert_allclose(maps[..., 0], expected, rtol=1e-3, atol=1e-4)


def test_cam_refuses_weights_that_differ_between_positions():
    inputs = keras.Input((9, 9, 3))
    x = layers.Conv2D(5, 9, name="whole")(inputs * 1)
    model = keras.Model(inputs, layers.Dense(4)(layers.Dense(4)(x))[:, 0, 0])
    with pytest.raises(ValueError, match="no such pooling"):
        ke.cam(model, batch(), UNITS, layer={"name": "whole", "link": "input"}, **OWN)


def test_a_layer_that_does_not_exist():
    with pytest.raises(ValueError, match=r"a layer named 'nowhere'.*'last'"):
        ke.gradcam(network(), batch(), UNITS, layer="nowhere", verbose=0)


def test_models_without_space():
    inputs = keras.Input((6,))
    model = keras.Model(inputs, layers.Dense(3)(inputs))
    with pytest.raises(ValueError, match="layer with spatial output"):
        gradcam(model, np.ones((1, 6)), [[0]])


def test_models_whose_layers_are_not_known():
    class Own(keras.Model):
        def call(self, x):
            return keras.ops.mean(x, axis=(1, 2))

    with pytest.raises(ValueError, match="must be a Functional or Sequential model"):
        ke.gradcam(Own(), batch(), np.array([[0], [1]]), verbose=0)


def test_layers_of_any_size():
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(6, 3, activation="relu")(inputs)
    model = keras.Model(inputs, head(x))
    randomize(model)
    for side in (9, 12):
        _, maps = ke.explain(gradcam, model, batch(side), UNITS, **OWN)
        assert maps.shape == (2, side - 2, side - 2, 2)


def of_any_rank(rank, dtype="float32"):
    """Build a model of signals, images or videos, and its input."""
    shape = (9, 8, 7)[:rank]
    convolution = (layers.Conv1D, layers.Conv2D, layers.Conv3D)[rank - 1]
    pooling = (
        layers.GlobalAveragePooling1D,
        layers.GlobalAveragePooling2D,
        layers.GlobalAveragePooling3D,
    )[rank - 1]
    in_dtype = dtype.replace("mixed_float16", "float32")
    inputs = keras.Input((*shape, 2), dtype=in_dtype)
    x = convolution(3, 3, strides=2, activation="relu", name="last", dtype=dtype)(
        inputs
    )
    x = layers.Dense(4, name="predictions", dtype=dtype)(pooling(dtype=dtype)(x))
    model = keras.Model(inputs, x)
    randomize(model)
    values = np.random.default_rng(0).normal(size=(2, *shape, 2))
    return model, values.astype(in_dtype)


def enlarged(masks, size):
    """Return masks (B, ...), interpolated along one axis after another."""
    for axis, length in enumerate(size, 1):
        weights = interpolation_weights(length, masks.shape[axis])
        masks = np.moveaxis(np.tensordot(masks, weights, [[axis], [1]]), -1, axis)
    return masks


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_score_cam_of_signals_images_and_videos(rank):
    model, x = of_any_rank(rank)
    activations = numpy(keras.Model(model.input, model.get_layer("last").output)(x))
    axes = tuple(range(1, rank + 1))
    nothing, wanted = numpy(model(np.zeros_like(x))), 0
    for channel in range(3):
        masks = enlarged(activations[..., channel], x.shape[1:-1])
        low, high = (f(masks, axis=axes, keepdims=True) for f in (np.min, np.max))
        masks = (masks - low) / np.where(high > low, high - low, 1)
        scores = numpy(model((x * masks[..., None]).astype("float32"))) - nothing
        chosen = np.take_along_axis(scores, UNITS, 1)
        chosen = chosen.reshape(2, *(1,) * rank, -1)
        wanted = wanted + chosen * activations[..., channel, None]
    _, maps = ke.explain(scorecam, model, x, UNITS, **OWN)
    np.testing.assert_allclose(maps, wanted, rtol=1e-3, atol=1e-4)
    assert ke.scorecam(model, x, UNITS, verbose=0)[1].shape == (*x.shape[:-1], 2)


@pytest.mark.parametrize("dtype", ["float16", "mixed_float16", "bfloat16", "float64"])
@pytest.mark.parametrize("method", ["scorecam", "gradcam", "gradcampp"])
def test_activation_maps_in_every_precision(method, dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has float64 switched off.")
    model, x = of_any_rank(2)
    in_dtype, _ = of_any_rank(2, dtype)
    expected = getattr(ke, method)(model, x, UNITS, verbose=0)[1]
    maps = getattr(ke, method)(in_dtype, x, UNITS, verbose=0)[1]
    tolerance = {"bfloat16": 0.1, "float64": 1e-4}.get(dtype, 0.02)
    np.testing.assert_allclose(maps.astype("float32"), expected, atol=tolerance)


def test_score_cam_needs_a_layer_with_the_axes_of_the_input():
    inputs = keras.Input((3, 6, 6, 2))
    pooling = layers.GlobalAveragePooling2D()
    x = layers.TimeDistributed(pooling, name="frames")(inputs)
    x = layers.GlobalAveragePooling1D()(layers.Conv1D(3, 3)(x))
    model = keras.Model(inputs, layers.Dense(4)(x))
    with pytest.raises(ValueError, match=r"`layer` must have an output with the axes"):
        ke.scorecam(model, np.ones((2, 3, 6, 6, 2)), UNITS, layer="frames", verbose=0)


@pytest.mark.parametrize("layer", [None, {"name": "last", "link": "input"}])
def test_a_layer_to_show_may_be_the_input(layer):
    inputs = keras.Input((9, 9, 3))
    x = layers.Conv2D(6, 3, activation="tanh", name="last")(inputs) if layer else inputs
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(4)(x))
    given, options = (model, batch(), [0, 2]), {"postprocessing": None} | OWN
    _, maps = ke.hirescam(*given, layer=layer, **options)
    whole = {"gradient_filter": None, "channel_reduction": None} | options
    slopes = ke.gradients(*given, **whole).maps
    expected = (slopes * batch()[..., None]).sum(-2)
    np.testing.assert_allclose(maps, expected, rtol=1e-4, atol=1e-6)
