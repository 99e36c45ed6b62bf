"""Logits models: correct for every kind of ending, with the user's model unchanged."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.small_models import network, randomize

from keras_explainable.inspection import (
    get_logits_layer,
    logits_model,
    runnable_model,
)

ENDS = ["softmax", "sigmoid", "softmax layer", "activation layer", "softmax op"]


@pytest.fixture
def x(rng):
    return rng.normal(size=(3, 12, 12, 3)).astype("float32")


def outputs(model, x):
    return model.predict(x, verbose=0)


def expected_logits(model, x):
    """Return the logits computed by hand, from the inputs of the logits layer."""
    features = keras.Model(model.inputs, model.get_layer("logits").input)
    kernel, bias = model.get_layer("logits").get_weights()
    return outputs(features, x) @ kernel + bias


@pytest.mark.parametrize("end", ENDS)
def test_functional(end, x):
    model = network(end)
    logits = outputs(logits_model(model), x)
    np.testing.assert_allclose(logits, expected_logits(model, x), rtol=1e-4, atol=1e-5)
    assert not np.allclose(logits, outputs(model, x), atol=1e-2)


@pytest.mark.parametrize("end", ENDS)
def test_nested_twice(end, x):
    inner = network(end)
    middle = keras.Sequential([keras.Input((12, 12, 3)), layers.Rescaling(2.0), inner])
    inputs = keras.Input((12, 12, 3))
    outer = keras.Model(inputs, middle(inputs))
    expected = expected_logits(inner, 2 * x)
    logits = outputs(logits_model(outer), x)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("end", [layers.Dense(4, "softmax"), layers.Softmax()])
def test_sequential(end, x):
    body = [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(4, name="last")]
    model = keras.Sequential([keras.Input((12, 12, 3)), *body, end])
    logits = outputs(logits_model(model), x)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, outputs(model, x), rtol=1e-4, atol=1e-6)
    assert not np.allclose(logits.sum(axis=1), 1)


@pytest.mark.parametrize("depth", [1, 2])
def test_a_wrapped_end(depth, x):
    end = layers.Dense(4, "softmax", name="last")
    for _ in range(depth):
        end = layers.SpectralNormalization(end)
    body = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((12, 12, 3)), *body, end])
    logits = outputs(logits_model(model), x)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, outputs(model, x), rtol=1e-4, atol=1e-6)
    assert not np.allclose(logits.sum(axis=1), 1)


def test_an_end_for_each_step(rng):
    end = layers.TimeDistributed(layers.Dense(4, "softmax"))
    model = keras.Sequential(
        [keras.Input((5, 3)), layers.LSTM(3, return_sequences=True), end]
    )
    x = rng.normal(size=(2, 5, 3)).astype("float32")
    kernel, bias = end.get_weights()
    expected = outputs(keras.Model(model.inputs, end.input), x) @ kernel + bias
    logits = outputs(logits_model(model), x)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


class Gate(layers.Layer):
    """A layer with an activation that it does not end in."""

    def __init__(self):
        super().__init__()
        self.inner, self.activation = layers.Dense(4), keras.activations.sigmoid

    def build(self, shape):
        self.inner.build(shape)

    def call(self, x):
        return x * self.activation(self.inner(x))


class Scaled(layers.Dense):
    def call(self, inputs, training=None):
        return 3 * super().call(inputs, training=training)


class Softmax(layers.Layer):
    def call(self, x):
        return 2 * x


def sigmoid(x):
    return 1 + 99 * keras.activations.sigmoid(x)


@pytest.mark.parametrize(
    "end", [Gate(), Scaled(4, "softmax"), Softmax(), layers.Activation(sigmoid)]
)
def test_what_only_looks_like_probabilities_stays(end, x):
    body = [layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((12, 12, 3)), *body, end])
    assert logits_model(model) is model


@pytest.mark.parametrize(
    "last", [layers.Activation("linear", dtype="float32"), layers.Dropout(0.5)]
)
def test_layers_that_do_nothing_after_the_probabilities(last, x):
    model = keras.Sequential([*network("softmax").layers, last])
    model(x)
    logits = outputs(logits_model(model), x)
    np.testing.assert_allclose(logits, expected_logits(model, x), rtol=1e-4, atol=1e-5)


class Tripling(keras.Sequential):
    def call(self, inputs, training=None, mask=None):
        return super().call(3 * inputs, training=training)


def test_a_sequential_subclass_is_called_in_its_own_way(x):
    body = [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D()]
    model = Tripling([keras.Input((12, 12, 3)), *body])
    assert logits_model(model) is model
    inputs = keras.Input((12, 12, 3))
    outer = keras.Model(inputs, layers.Dense(2, "softmax", name="last")(model(inputs)))
    logits = outputs(logits_model(outer), x)
    expected = outputs(outer, x)
    found = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_convolutional_head_with_reshape_between(x):
    """The MobileNets end like this: convolution, reshape, softmax."""
    inputs = keras.Input((12, 12, 3))
    y = layers.GlobalAveragePooling2D(keepdims=True)(inputs)
    y = layers.Reshape((4,))(layers.Conv2D(4, 1)(y))
    model = keras.Model(inputs, layers.Activation("softmax")(y))
    body = keras.Model(inputs, y)
    np.testing.assert_allclose(outputs(logits_model(model), x), outputs(body, x))


@pytest.mark.parametrize("activation", [None, "relu", "linear", "tanh"])
def test_a_model_without_probabilities_is_returned_unchanged(activation):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Dense(2, activation=activation)(inputs))
    assert logits_model(model) is model


def test_inner_softmax_stays(x):
    """Only the final softmax is removed, not one inside, as in attention."""
    inputs = keras.Input((12, 12, 3))
    y = layers.Softmax()(layers.Flatten()(inputs))
    model = keras.Model(inputs, layers.Dense(3, "softmax")(y))
    softmax = keras.Model(inputs, y)
    kernel, bias = model.layers[-1].get_weights()
    expected = outputs(softmax, x) @ kernel + bias
    np.testing.assert_allclose(outputs(logits_model(model), x), expected, atol=1e-5)


def test_a_softmax_that_another_output_uses_is_kept_for_it(x):
    """The second output is computed from the probabilities of the first."""
    inputs = keras.Input((12, 12, 3))
    first = layers.Dense(4, "softmax")(layers.Flatten()(inputs))
    model = keras.Model(inputs, [first, layers.Dense(2)(first)])
    before, after = outputs(model, x), outputs(logits_model(model), x)
    np.testing.assert_allclose(after[1], before[1], rtol=1e-5)
    probabilities = np.exp(after[0]) / np.exp(after[0]).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, before[0], rtol=1e-4, atol=1e-6)


def test_subclassed_models_are_returned_unchanged():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = layers.Dense(2, "softmax")

        def call(self, inputs):
            return self.dense(inputs)

    model = Model()
    model(np.ones((1, 3)))
    assert logits_model(model) is model


def test_a_functional_subclass_with_its_own_call_is_returned_unchanged():
    class Doubled(keras.Model):
        def call(self, inputs, training=None, mask=None):
            return 2 * super().call(inputs, training=training)

    inputs = keras.Input((4,))
    model = Doubled(inputs, layers.Dense(2, "softmax")(inputs))
    assert logits_model(model) is model


def test_an_unbuilt_sequential_model_is_rejected():
    with pytest.raises(ValueError, match="`model` must be built"):
        logits_model(keras.Sequential([layers.Dense(2, "softmax")]))


def test_plain_functions_are_returned_unchanged():
    def model(inputs, training=False):
        return inputs

    assert logits_model(model) is model


def test_an_activation_replaced_by_a_name(x):
    """``layer.activation = "linear"`` leaves a string, which Keras cannot call."""
    model = network("softmax")
    expected, probabilities = expected_logits(model, x), outputs(model, x)
    first = logits_model(model)
    model.layers[-1].activation = "linear"
    for repaired in (logits_model(model), runnable_model(model)):
        np.testing.assert_allclose(outputs(repaired, x), expected, rtol=1e-4, atol=1e-5)
    assert logits_model(model) is not first
    model.layers[-1].activation = "softmax"
    np.testing.assert_allclose(
        outputs(runnable_model(model), x), probabilities, rtol=1e-4
    )
    assert model.layers[-1].activation == "softmax"


def test_runnable_model_is_the_model_itself_where_it_runs():
    model = network("softmax")
    assert runnable_model(model) is model


@pytest.mark.parametrize("end", ["softmax", "softmax layer"])
def test_weights_are_shared(end, x):
    model = network(end)
    logits = logits_model(model)
    randomize(model, seed=5)
    np.testing.assert_allclose(
        outputs(logits, x), expected_logits(model, x), rtol=1e-4, atol=1e-5
    )
    assert {id(v) for v in logits.variables} == {id(v) for v in model.variables}


def test_the_logits_model_is_made_once_and_freed_with_the_model():
    model = network("softmax")
    logits = logits_model(model)
    assert logits_model(model) is logits
    references = weakref.ref(model), weakref.ref(logits)
    del model, logits
    for _ in range(3):
        gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_compiled_models_with_custom_losses(x):
    model = network("softmax")
    model.compile("adam", loss=lambda y, p: ops.mean(y * p))
    assert outputs(logits_model(model), x).shape == (3, 5)


def test_merging_branches_shared_layers_and_operators(x):
    inputs = keras.Input((12, 12, 3))
    shared = layers.Conv2D(3, 3, padding="same")
    a, b = shared(inputs), shared(inputs * 2.0 + 1.0)
    y = layers.GlobalMaxPooling2D()(layers.Concatenate()([a, b, ops.relu(a - b)]))
    y = layers.Dense(4)(y)
    body = keras.Model(inputs, y)
    model = keras.Model(inputs, layers.Softmax()(y))
    np.testing.assert_allclose(
        outputs(logits_model(model), x), outputs(body, x), rtol=1e-5, atol=1e-6
    )


def test_a_stock_application():
    model = keras.applications.MobileNetV2((32, 32, 3), weights=None, classes=7)
    x = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype("float32")
    logits, p = outputs(logits_model(model), x), outputs(model, x)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(softmax, p, rtol=1e-4)


def test_get_logits_layer():
    inner = network("softmax layer")
    model = keras.Sequential([keras.Input((12, 12, 3)), inner, layers.Softmax()])
    assert get_logits_layer(model) is inner.get_layer("logits")
    first = inner.layers[1]
    assert get_logits_layer(model, first.name) is first


@pytest.mark.parametrize("name", [None, "nowhere"])
def test_get_logits_layer_lists_the_existing_layers(name):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Softmax(name="only")(inputs))
    with pytest.raises(ValueError, match=r"must have a layer .*'only'"):
        get_logits_layer(model, name)
