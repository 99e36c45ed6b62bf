"""Calls leave the user's model and the global state unchanged."""

import keras
import numpy as np
import pytest
from keras import layers
from support.side_effects import BACKEND, facts, global_state
from support.small_models import network

import keras_explainable as ke
from keras_explainable.methods.gradient import gradients
from keras_explainable.methods.meta import smooth


def nested():
    inputs = keras.Input((12, 12, 3))
    outputs = layers.Softmax()(network()(layers.Rescaling(0.5)(inputs)))
    return keras.Model(inputs, outputs)


def sequential():
    body = [layers.Conv2D(3, 3, activation="relu"), layers.Flatten()]
    head = layers.Dense(5, activation="softmax")
    return keras.Sequential([keras.Input((12, 12, 3)), *body, head])


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.body = network()

    def call(self, inputs):
        return self.body(inputs)


def subclassed():
    model = Subclassed()
    model(np.zeros((1, 12, 12, 3)))
    return model


def compiled():
    model = network("softmax")
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


MODELS = [nested, sequential, subclassed, compiled]


@pytest.fixture
def x(rng):
    return rng.normal(size=(3, 12, 12, 3)).astype("float32")


@pytest.mark.parametrize("make", MODELS)
def test_success_leaves_no_side_effects(make, x):
    model, y = make(), [0, 1, 2]
    predictions = model.predict(x, verbose=0)
    before, state = facts(model), global_state()
    ke.gradients(model, x, y, verbose=0)
    ke.smoothgrad(model, x, y, repetitions=3, verbose=0)
    gradients(model, x, y)
    smooth(gradients, 2)(model, x, y)
    ke.inspection.logits_model(model)
    assert facts(model) == before
    assert global_state() == state
    np.testing.assert_array_equal(model.predict(x, verbose=0), predictions)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("make", MODELS)
def test_an_exception_leaves_no_side_effects(make, x, error):
    model = make()
    before, state = facts(model), global_state()

    def broken(model, inputs, indices=None):
        gradients(model, inputs, indices)
        raise error("in the method")

    class Broken(keras.callbacks.Callback):
        def on_explain_progress(self, done, total):
            raise error("in a callback")

    with pytest.raises(error):
        ke.explain(smooth(broken, 2), model, x, [0, 1, 2], verbose=0)
    with pytest.raises(error):
        ke.smoothgrad(model, x, [0, 1, 2], callbacks=[Broken()], verbose=0)
    assert facts(model) == before
    assert global_state() == state


@pytest.mark.skipif(BACKEND != "torch", reason="autograd's state")
def test_torch_leaves_no_gradients_and_no_flags():
    model = network("softmax")
    x = np.random.default_rng(0).normal(size=(3, 12, 12, 3)).astype("float32")
    flags = [parameter.requires_grad for parameter in model.parameters()]
    logits, maps = gradients(model, x, [0, 1, 2])
    ke.smoothgrad(model, x, [0, 1, 2], repetitions=2, verbose=0)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    assert not logits.requires_grad
    assert not maps.requires_grad


def test_the_model_can_still_be_trained_and_saved(x, tmp_path):
    model = compiled()
    ke.smoothgrad(model, x, [0, 1, 2], repetitions=2, verbose=0)
    before = model.get_weights()
    model.fit(x, np.array([0, 1, 2]), verbose=0)
    assert any((a != b).any() for a, b in zip(before, model.get_weights(), strict=True))
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    np.testing.assert_allclose(
        loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6
    )


def test_training_between_two_calls_takes_effect(x):
    model = compiled()
    first = ke.smoothgrad(model, x, [0, 1, 2], repetitions=2, verbose=0)
    model.fit(x, np.array([0, 1, 2], "int32"), epochs=3, verbose=0)
    logits, _ = ke.smoothgrad(model, x, [0, 1, 2], repetitions=2, verbose=0)
    outputs = ke.inspection.logits_model(model).predict(x, verbose=0)
    np.testing.assert_allclose(logits[:, 0], np.diag(outputs), rtol=1e-4)
    assert not np.allclose(first[0], logits)
