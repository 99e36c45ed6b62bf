"""Recording runs: outputs and gradients are the same, and nothing is overwritten."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_explainable import backend
from keras_explainable.lowering import lower
from keras_explainable.methods.slopes.linearized_network import exposed_model
from keras_explainable.methods.slopes.record_statistics import _stages, run_and_record

numpy = ops.convert_to_numpy


def in_a_row(relu):
    inputs = keras.Input((6, 6, 3))
    return inputs, relu(layers.Conv2D(4, 3)(inputs))


def through_a_norm(relu):
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3, padding="same")(inputs)
    return inputs, relu(layers.BatchNormalization()(x))


def behind_a_sum(relu):
    inputs = keras.Input((6, 6, 3))
    return inputs, relu(layers.Add()([layers.Conv2D(3, 1)(inputs), inputs]))


def read_twice(relu):
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3)(inputs)
    return inputs, layers.Add()([relu(x), x])


def viewed(relu):
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3)(inputs)
    y = relu(layers.Reshape((16, 4))(x))
    return inputs, layers.Add()([layers.Reshape((4, 4, 4))(y), x])


def of_one_summand(relu):
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3)(inputs)
    return inputs, layers.Add()([relu(layers.Add()([x])), x])


class First(layers.Add):
    """A subclass of ``Add`` that returns its first input."""

    def call(self, inputs):
        return inputs[0]


def of_a_subclass(relu):
    inputs = keras.Input((6, 6, 3))
    x = layers.Conv2D(4, 3)(inputs)
    return inputs, layers.Add()([relu(First()([x, x])), x])


def of_the_input(relu):
    inputs = keras.Input((6, 6, 3))
    return inputs, layers.Add()([relu(inputs), inputs])


def pooled(relu):
    inputs = keras.Input((6, 6, 3))
    x = relu(layers.Conv2D(4, 3, padding="same")(inputs))
    return inputs, layers.MaxPooling2D(2)(x)


def pooled_and_averaged(relu):
    inputs = keras.Input((6, 6, 3))
    x = relu(layers.Conv2D(4, 3, padding="same")(inputs))
    pools = layers.MaxPooling2D(2), layers.AveragePooling2D(2)
    return inputs, layers.Add()([pool(x) for pool in pools])


def ending_in_it(relu):
    inputs = keras.Input((6, 6, 3))
    flat = layers.Flatten()(inputs)
    return inputs, relu(layers.Dense(5)(flat))


#: Networks, and how many of their ReLUs may overwrite their input.
NETWORKS = {
    in_a_row: 1, through_a_norm: 1, behind_a_sum: 1, read_twice: 0, viewed: 0,
    of_one_summand: 0, of_the_input: 0, pooled: 1,
    pooled_and_averaged: 1, ending_in_it: 1,
}  # fmt: skip
RELUS = [layers.ReLU(), layers.ReLU(6.0), layers.ReLU(1.5), ops.relu, ops.relu6]


def exposed(build, relu):
    keras.utils.set_random_seed(2)
    return exposed_model(keras.Model(*build(relu)))


def with_gradients(run, x):
    """Return the outputs, the gradient of half their squares, and other results."""

    def whole(x):
        outputs, pullback, others = backend.vjp(run, x)
        return outputs, pullback(outputs), others

    outputs, gradient, others = backend.jit(whole)(ops.convert_to_tensor(x))
    return numpy(outputs), numpy(gradient), others


@pytest.mark.parametrize("lowered", [False, True])
@pytest.mark.parametrize("relu", RELUS)
@pytest.mark.parametrize("build", NETWORKS)
def test_outputs_gradients_and_sums_are_those_of_a_plain_run(rng, build, relu, lowered):
    plain = exposed(build, relu)
    model = lower(plain) if lowered else plain
    x = 3 * rng.normal(size=(4, 6, 6, 3)).astype("float32")
    weights = np.array([[0.5], [0.5], [2], [0]], "float32")

    def run(x):
        first, *shown = plain.run(x)
        return first, shown

    outputs, gradient, shown = with_gradients(run, x)
    recording = partial(run_and_record, model, weights=ops.convert_to_tensor(weights))
    *found, statistics = with_gradients(recording, x)
    for one, other in zip(found, (outputs, gradient), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    z = numpy(shown[0])  # The input of the first ReLU.
    powers = () if build is pooled else (1, 2)
    for one, power in zip(statistics[0], powers, strict=True):
        expected = np.einsum("r...,rg->g...", z**power, weights)
        np.testing.assert_allclose(numpy(one), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("build", NETWORKS)
def test_values_with_other_readers_are_not_overwritten(rng, build):
    model = lower(exposed(build, layers.ReLU()))
    x = ops.convert_to_tensor(rng.normal(size=(2, 6, 6, 3)).astype("float32"))
    before = numpy(x).copy()
    run_and_record(model, x, ops.ones((2, 1)))
    np.testing.assert_array_equal(numpy(x), before)
    overwriting = [stage for stage in _stages(model) if stage.relu_max is not None]
    assert len(overwriting) == NETWORKS[build] * backend.RUNS_EAGERLY


@pytest.mark.skipif(backend.max_pool is None, reason="recorded after the run")
@pytest.mark.parametrize("build", [pooled, pooled_and_averaged])
def test_pooling_that_records_its_statistics_runs_once(rng, monkeypatch, build):
    model = lower(exposed(build, layers.ReLU()))
    x = ops.convert_to_tensor(rng.normal(size=(2, 6, 6, 3)).astype("float32"))
    expected = numpy(model.run(x)[0])
    monkeypatch.setattr(backend, "max_pool", None)
    outputs, _ = run_and_record(model, x, ops.ones((2, 1)))
    np.testing.assert_array_equal(numpy(outputs), expected)


class Relu(layers.Layer):
    """A user's layer with the name of Keras' operation."""

    def call(self, inputs):
        return ops.maximum(inputs, 0.1 * inputs)


def of_a_users_relu(relu):
    inputs = keras.Input((6, 6, 3))
    return inputs, Relu()(layers.Conv2D(4, 3)(inputs))


@pytest.mark.filterwarnings("ignore:The slopes of these layers")
@pytest.mark.parametrize("build", [of_a_subclass, of_a_users_relu])
def test_subclasses_and_equal_names_are_not_taken_for_keras_layers(rng, build):
    model = exposed(build, layers.ReLU())
    x = ops.convert_to_tensor(rng.normal(size=(2, 6, 6, 3)).astype("float32"))
    expected = numpy(model.run(x)[0])
    outputs, _ = run_and_record(model, x, ops.ones((2, 1)))
    np.testing.assert_allclose(numpy(outputs), expected, rtol=1e-5)


def test_integers_are_not_overwritten():
    inputs = keras.Input((3,))
    whole = ops.cast(inputs, "int32")
    y = ops.cast(ops.relu(layers.Add(dtype="int32")([whole, whole])), "float32")
    model = exposed_model(keras.Model(inputs, y))
    x = ops.convert_to_tensor(np.array([[1, -2, 3]], "float32"))
    outputs, _ = run_and_record(model, x, ops.ones((1, 1)))
    np.testing.assert_array_equal(numpy(outputs), [[2, 0, 6]])


def test_masks_are_passed_on():
    """Tensors carry the mask from layer to layer."""
    dense = layers.Dense(3, kernel_initializer="ones")
    inner = layers.Masking(), dense, layers.ReLU()
    average = layers.GlobalAveragePooling1D()
    model = exposed_model(keras.Sequential([keras.Input((4, 3)), *inner, average]))
    x = np.ones((2, 4, 3), "float32")
    x[:, 2:] = 0
    expected = numpy(model.run(ops.convert_to_tensor(x))[0])
    outputs, _ = run_and_record(model, ops.convert_to_tensor(x), ops.ones((2, 1)))
    assert np.any(expected)
    np.testing.assert_allclose(numpy(outputs), expected, rtol=1e-5)


def test_values_that_are_no_longer_read_are_freed():
    model = exposed(pooled, layers.ReLU())
    done = [symbol for stage in _stages(model) for symbol in stage.done]
    # All symbols but the output.
    assert len(done) == len(set(done)) == len(model.graph.steps)
