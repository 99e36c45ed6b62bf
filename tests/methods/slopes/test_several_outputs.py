"""Slopes of networks with steps that write several tensors."""

import keras
import numpy as np
import pytest
from keras import layers, ops
from support.estimators import explained, maps_and_error

import keras_explainable as ke
from keras_explainable.inspection.logits import logits_model
from keras_explainable.methods.slopes.linearized_network import (
    exposed_model,
    nonlinearities,
)

pytestmark = pytest.mark.filterwarnings("ignore:The slopes of these layers")


class Named(layers.Layer):
    """A user's layer that returns a dictionary."""

    def call(self, x):
        return {"b": ops.tanh(x), "a": 2 * x}


class Within(layers.Layer):
    """A user's layer that returns a structure within another."""

    def call(self, x):
        return x * x, [x, ops.relu(x)]


#: Functions from tokens (B, 6, 4) to several tensors.
STEPS = {
    "split": lambda x: ops.split(x, 2, axis=-1),
    "top_k": lambda x: ops.top_k(x, 2)[0],
    "lstm": lambda x: layers.LSTM(3, return_state=True)(x),
    "unstack": lambda x: ops.unstack(x, axis=1),
    "named": lambda x: Named()(x),
    "attention": lambda x: layers.MultiHeadAttention(2, 2)(
        x, x, return_attention_scores=True
    ),
    "moments": lambda x: ops.moments(x, axes=[1]),
    "within": lambda x: Within()(x),
    "gru": lambda x: layers.GRU(4, return_sequences=True, return_state=True)(x),
}


def graph(names):
    """Return a network of the steps, all of whose tensors are used."""
    x = inputs = keras.Input((6, 4))
    for name in names:
        flat = [layers.Flatten()(part) for part in keras.tree.flatten(STEPS[name](x))]
        x = layers.Reshape((6, 4))(layers.Dense(24)(layers.Concatenate()(flat)))
    return keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))


@pytest.fixture(params=range(3), scope="module")
def network(request):
    """Return random graphs in which every step is used once."""
    keras.utils.set_random_seed(request.param)
    order = np.random.default_rng(0).permutation([*STEPS]).reshape(3, 3)
    return graph(order[request.param])


@pytest.fixture
def x():
    return np.random.default_rng(3).normal(size=(1, 6, 4)).astype("f4")


@pytest.mark.parametrize("estimator", ["slopes", "hybrid"])
def test_without_noise_they_are_the_gradient(network, x, estimator):
    plain = {"gradient_filter": None, "channel_reduction": None, "verbose": 0}
    gradients = ke.methods.gradient.gradients
    _, expected = ke.explain(gradients, network, x, [0], **plain)
    found = explained(network, x, [0], estimator, 4, noise=0.0)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_hybrid_agrees_with_the_samples(network, x):
    params = [("hybrid", 128, 1), ("sampled", 2048, 2)]
    pairs = [maps_and_error(network, x, [0], *each) for each in params]
    (hybrid, its_error), (sampled, error) = pairs
    assert np.linalg.norm(hybrid - sampled) < 2 * np.hypot(its_error, error)


def test_steps_that_take_a_tensor_apart_are_affine():
    inputs = keras.Input((6, 4))
    parts = [*ops.split(inputs, 2, axis=-1), *ops.array_split(inputs, 3, axis=1)]
    flat = [layers.Flatten()(part) for part in [*parts, *ops.unstack(inputs, axis=1)]]
    model = keras.Model(inputs, layers.Dense(2)(layers.Concatenate()(flat)))
    assert nonlinearities(exposed_model(logits_model(model)).graph) == []
