"""Models that fold an axis into the batch, such as windows, frames or views."""

import keras
import numpy as np
import pytest
from keras import layers, ops

import keras_explainable as ke
from keras_explainable.network.rows_of_steps import tensors_by_row
from keras_explainable.network.trace_model import inlined, trace

PLAIN = {"postprocessing": None, "verbose": 0}


def pooled(x):
    x = layers.Conv2D(4, 3, activation="relu", name="seen")(x)
    return layers.GlobalAveragePooling2D()(x)


def of_windows(x):
    x = ops.transpose(ops.reshape(x, (-1, 2, 6, 2, 6, 3)), (0, 1, 3, 2, 4, 5))
    return ops.mean(ops.reshape(pooled(ops.reshape(x, (-1, 6, 6, 3))), (-1, 4, 4)), 1)


def of_views(x):
    both = pooled(ops.concatenate([x, ops.flip(x, 2)], axis=0))
    return layers.Add()(ops.split(both, 2, axis=0))


class InFrames(layers.Layer):
    def call(self, x):
        return ops.reshape(x, (-1, 6, 12, 3))


def of_an_own_layer(x):
    return ops.mean(ops.reshape(pooled(InFrames()(x)), (-1, 2, 4)), axis=1)


def of_positions(x):
    """Gates of positions, which are the same for all images, in one row."""
    place = ops.mean(0 * x, axis=0, keepdims=True) + ops.ones((12, 12, 3))
    return pooled(x * ops.gelu(layers.Dense(3)(place)))


FOLDING = [of_windows, of_views, of_an_own_layer]


def network(step):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 12, 3))
    return keras.Model(inputs, layers.Dense(2)(step(inputs)))


@pytest.fixture
def images(rng):
    return rng.normal(size=(2, 12, 12, 3)).astype("float32")


@pytest.mark.parametrize("step", [*FOLDING, of_positions])
def test_the_default_estimator_samples_them(step, images):
    model, options = network(step), {"repetitions": 8, "return_stats": True, **PLAIN}
    _, maps, stats = ke.smoothgrad(model, images, [0, 1], **options)
    _, sampled, _ = ke.smoothgrad(model, images, [0, 1], estimator="sampled", **options)
    assert stats.estimator == "sampled"
    np.testing.assert_allclose(maps, sampled, rtol=1e-4, atol=1e-7)
    with pytest.raises(ValueError, match="keep one row for each image in its non"):
        ke.smoothgrad(model, images, [0, 1], estimator="slopes", verbose=0)


@pytest.mark.parametrize("step", FOLDING)
@pytest.mark.parametrize("method", [ke.gradcam, ke.full_gradients])
def test_their_layers_are_refused_by_name(method, step, images):
    with pytest.raises(ValueError, match="must have one row for each image"):
        method(network(step), images, [0, 1], verbose=0)


def test_one_row_for_all_is_not_folded(images):
    model = network(of_positions)
    for method in (ke.gradcam, ke.full_gradients):
        maps = method(model, images, [0, 1], verbose=0)[1]
        alone = method(model, images[1:], [1], verbose=0)[1]
        np.testing.assert_allclose(maps[1:], alone, rtol=1e-4, atol=1e-6)


def test_models_of_one_row_for_each_image_fold_nothing():
    model = keras.applications.MobileNetV2((32, 32, 3), weights=None)
    graph = inlined(trace(model))
    known = tensors_by_row(graph)
    assert all(id(x) in known for step in graph.steps for x in step.reads)


def test_channels_that_go_to_the_batch_are_channels(rng):
    """As in transformers of time series that take each variable by itself."""
    inputs = keras.Input((16, 3))
    h = ops.reshape(ops.transpose(inputs, (0, 2, 1)), (-1, 16, 1))
    h = ops.reshape(layers.Conv1D(2, 4, 4, activation="tanh")(h), (-1, 24))
    model = keras.Model(inputs, layers.Dense(2)(h))
    x = rng.normal(size=(2, 16, 3)).astype("float32")
    assert ke.gradients(model, x, [0, 1], verbose=0)[1].shape == (2, 16, 1)
